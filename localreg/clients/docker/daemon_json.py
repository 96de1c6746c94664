"""The entries of localreg in `insecure-registries` of Docker's daemon.json, and the record of which they are.

The record is a hidden file beside daemon.json. It is written before an entry and removed after it, so that a killed run
leaves no entry without an owner. The file itself is the proof: an entry that is not in it any longer is not localreg's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localreg.clients.docker.json_text import ListInObject
from localreg.clients.file_change import FileChange, read_file
from localreg.engines.plain_http import LOOPBACK
from localreg.errors import ConfigError, reason_of
from localreg.system.command_line import Sentence

KEY = "insecure-registries"
_ABSENT, _BLANK, _NO_KEY, _NULL, _LIST = "no file", "blank", "no key", "null", "list"
_RECORD = ".localreg"
_COMMENT = "Written by `localreg trust docker`: which entries of insecure-registries are localreg's"


@dataclass(frozen=True, slots=True)
class _Record:
    """Which entries are localreg's."""

    names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """The registries that need each entry."""
    was: str = _LIST
    """The list before the first entry."""
    blank: str = ""
    """All of a file that held only space."""

    @classmethod
    def read(cls, data: bytes | None) -> _Record:
        try:
            found: dict[str, Any] = json.loads(data or b"{}")
            names = {str(entry): [str(name) for name in names] for entry, names in found.get("entries", {}).items()}
            return cls(names, str(found.get("was", _LIST)), str(found.get("blank", "")))
        except (ValueError, AttributeError, TypeError):
            return cls()

    def written(self) -> bytes | None:
        if not self.names:
            return None
        content = {"comment": _COMMENT, "schema": 1, "was": self.was, "blank": self.blank, "entries": self.names}
        return (json.dumps(content, indent=2) + "\n").encode()


def record_of(path: Path) -> Path:
    """The record beside a daemon.json."""
    return path.with_name(f".{path.name}{_RECORD}")


def file_of(record: Path) -> Path | None:
    """The daemon.json of a record; None for another file."""
    name = record.name.removeprefix(".").removesuffix(_RECORD)
    return record.with_name(name) if record_of(record.with_name(name)) == record else None


def list_owned(path: Path, name: str) -> list[str]:
    """The entries of localreg for one registry that are still in the file.

    Raises:
        ConfigError: the file cannot be read or parsed.
    """
    _, current = _read(path)
    record = _Record.read(_bytes(record_of(path)))
    return [entry for entry, names in record.names.items() if name in names and entry in current.values]


@dataclass(frozen=True, slots=True)
class Recorded:
    """Entries of localreg's, for any registry."""

    there: frozenset[str]
    """Those in the list."""
    gone: frozenset[str]
    """Those that are not in it any longer, of which a running Docker may not know."""


def find_recorded(path: Path) -> Recorded | None:
    """The entries that a running Docker should know of; None if the file has no list, which Docker does not read.

    Raises:
        ConfigError: the file cannot be read or parsed.
    """
    _, current = _read(path)
    if not current.has_key or current.is_null:
        return None
    entries = frozenset(_Record.read(_bytes(record_of(path))).names)
    there = entries.intersection(current.values)
    return Recorded(there, entries - there - {*LOOPBACK})


def is_set(path: Path) -> bool:
    """Whether others set the list, if only to an empty one.

    Raises:
        ConfigError: the file cannot be read or parsed.
    """
    _, current = _read(path)
    record = _Record.read(_bytes(record_of(path)))
    if any(entry in current.values for entry in record.names):
        return record.was == _LIST
    return current.has_key and not current.is_null


def plan_entries(path: Path, name: str, wanted: Sequence[str]) -> tuple[FileChange, ...]:
    """Plan the changes after which the list has these entries, and no other one of localreg's for this registry.

    Args:
        path: The daemon.json.
        name: The registry's.
        wanted: The entries; empty to take back all.

    Raises:
        ConfigError: the file cannot be read or parsed; it is left alone.
    """
    data, current = _read(path)
    written = _bytes(record_of(path))
    record = _Record.read(written)
    owned = {entry: names for entry, names in record.names.items() if entry in current.values}
    left = {entry: [each for each in names if each != name] for entry, names in owned.items()}
    for entry in wanted:
        if entry in left or entry not in current.values:
            left[entry] = [*left.get(entry, ()), name]
    was, blank = (record.was, record.blank) if owned else _state(data, current)
    final = _Record({entry: names for entry, names in left.items() if names}, was, blank)
    after = final.written()
    text = _changed(data, current, [*owned], final)
    # A killed run may have taken an entry out of the file, but not out of the running Docker.
    before = _Record({**record.names, **final.names}, was, blank).written()
    between = _forgetting(current, text, [entry for entry in record.names if entry not in final.names])
    changes = (
        FileChange(record_of(path), written, before),
        *(() if between is None else (FileChange(path, data, between),)),
        FileChange(path, data if between is None else between, text),
        FileChange(record_of(path), before, after),
    )
    return tuple(change for change in changes if change.changes)


def _changed(data: bytes | None, current: ListInObject, owned: Sequence[str], final: _Record) -> bytes | None:
    text = current.without([entry for entry in owned if entry not in final.names])
    rest = ListInObject(text, KEY)
    if owned and not final.names and not rest.values:
        text = _as_it_was(rest, final.was)
        if final.was in (_ABSENT, _BLANK) and ListInObject(text, KEY).is_empty_object:
            return None if final.was == _ABSENT else final.blank.encode()
    text = ListInObject(text, KEY).with_added([entry for entry in final.names if entry not in rest.values])
    return None if data is None and not text else text.encode()


def _forgetting(current: ListInObject, after: bytes | None, removed: Sequence[str]) -> bytes | None:
    """What Docker has to read before the list goes, because a running Docker keeps a list that is there no longer.

    Args:
        current: The file before.
        after: All of it afterwards.
        removed: The entries that go.

    Returns:
        A file with the list that Docker has by itself; None if it is not needed.
    """
    there = ListInObject((after or b"").decode(), KEY)
    foreign = [entry for entry in removed if entry not in LOOPBACK]
    if not foreign or (there.has_key and not there.is_null):
        return None
    kept = ListInObject(current.without(foreign), KEY)
    return kept.with_added([entry for entry in LOOPBACK if entry not in kept.values]).encode()


def _as_it_was(rest: ListInObject, was: str) -> str:
    """The text whose list is empty now, without what localreg put in place of no list."""
    if was == _LIST:
        return rest.text
    return rest.with_null() if was == _NULL else rest.without_key()


def _state(data: bytes | None, current: ListInObject) -> tuple[str, str]:
    """The list as it is, and all of a file that holds only space."""
    if data is None:
        return _ABSENT, ""
    if current.is_blank:
        return _BLANK, current.text
    if not current.has_key:
        return _NO_KEY, ""
    return (_NULL if current.is_null else _LIST), ""


def _read(path: Path) -> tuple[bytes | None, ListInObject]:
    data = _bytes(path)
    try:
        return data, ListInObject((data or b"").decode(), KEY)
    except RecursionError as exc:
        raise ConfigError(f"`{path}` is nested too deeply") from exc
    except ValueError as exc:
        raise ConfigError(
            f"`{path}` is not valid: {exc}",
            hint=Sentence("fix that file first: Docker does not start with it"),
        ) from exc


def _bytes(path: Path) -> bytes | None:
    try:
        return read_file(path)
    except OSError as exc:
        raise ConfigError(f"cannot read `{path}`: {reason_of(exc)}") from exc
