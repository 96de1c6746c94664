"""The entries of Podman's `registries.conf` and its drop-ins.

See containers-registries.conf(5) and containers-registries.conf.d(5).
"""

from __future__ import annotations

import contextlib
import os
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localreg.clients.podman.search import ETC, NEW, OLD, drop_in, list_files, user_folder
from localreg.errors import ConfigError, reason_of
from localreg.system.command_line import Sentence

BYTE_ORDER_MARK = "\ufeff"
_READS_BYTE_ORDER_MARK = 5
"""The first release that reads a file with one."""
_KNOWS_EMPTY_LISTS = 5
"""The first release for which an empty list of the first format is a use of that format."""
_NOT_IN_WILDCARD = frozenset("/@:")
_LOOPBACK = re.compile(r"\A127\.0\.0\.1(?=:)")
"""The same registry as `localhost`."""
MARK = "# localreg: "
"""The comment after the location of an entry that localreg wrote; the registry's name follows."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One `[[registry]]` table."""

    prefix: str
    """The entry applies to references with this prefix; by default the location."""
    insecure: bool
    path: Path
    """The file that contains it."""
    blocked: bool = False
    location: str = ""
    """It replaces the prefix in a pull, but not in a push; empty if nothing does."""
    has_mirrors: bool = False

    @property
    def allows_plain_http(self) -> bool:
        """Whether Podman can push and pull over plain HTTP, if the location is the prefix."""
        return self.insecure and not self.blocked

    def find_obstacle(self, place: str) -> str | None:
        """How it keeps Podman from using a place that it covers over plain HTTP; None if it does not.

        Args:
            place: `host:port`, or a repository of it.
        """
        if self.blocked:
            return f"blocks {place}"
        source = self.location + place.partition(self.prefix.removeprefix("*"))[2] if self.location else place
        if _LOOPBACK.sub("localhost", source) != _LOOPBACK.sub("localhost", place):
            return f"sends pulls of {place} to {source}"
        return None if self.insecure else f"forbids plain HTTP for {place}"

    def covers(self, location: str) -> bool:
        """Whether the entry applies to a registry."""
        if self.prefix.startswith("*."):
            _, found, rest = location.partition(self.prefix[1:])
            return bool(found) and rest[:1] in ("", ":")
        return location == self.prefix or location.startswith((f"{self.prefix}/", f"{self.prefix}:"))


def find_left_entry(name: str, environ: Mapping[str, str], *, etc: Path = ETC) -> Path | None:
    """The drop-in with entries that localreg wrote for a registry; None if neither the user nor the system has any."""
    users = {user_folder(environ, release=release) for release in (OLD, NEW)}
    for path in (*(drop_in(folder) for folder in users if folder), drop_in(etc, is_system=True)):
        with contextlib.suppress(OSError, UnicodeDecodeError):
            if re.search(rf"{MARK}{re.escape(name)}$", path.read_text(), re.MULTILINE):
                return path
    return None


def read_text(path: Path, *, missing: str | None = None) -> str:
    """The text of a file, with its line endings unchanged.

    Args:
        path: The file.
        missing: The text of a file that does not exist; None makes that an error.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return path.read_bytes().decode()
    except FileNotFoundError as exc:
        if missing is not None:
            return missing
        raise ConfigError(f"cannot read `{path}`: no such file", hint=Sentence("podman also fails without it")) from exc
    except OSError as exc:
        raise ConfigError(f"cannot read `{path}`: {reason_of(exc)}") from exc
    except UnicodeDecodeError as exc:
        raise _broken(path, "it is not UTF-8") from exc


def read_entries(path: Path, *, release: int = OLD) -> list[Entry]:
    """The entries of an existing file.

    Raises:
        ConfigError: it cannot be read, or Podman rejects it.
    """
    return parse_entries(read_text(path), path, release=release)


def parse_entries(text: str, path: Path, *, release: int = OLD) -> list[Entry]:
    """The entries of a file.

    Args:
        text: Its content.
        path: The file.
        release: The first number of Podman's version; Podman 4 rejects a byte order mark.

    Raises:
        ConfigError: localreg cannot read it. As far as localreg knows, Podman rejects it as well, and fails every push
            and pull because of it.
    """
    try:
        found = _lower(tomllib.loads(text if release < _READS_BYTE_ORDER_MARK else text.removeprefix(BYTE_ORDER_MARK)))
        entries = [_read_table(table, path) for table in _tables(found)]
        _check_conflicts(entries)
        return [*_read_first_version(found, path, release), *_unique(entries)]
    except tomllib.TOMLDecodeError as exc:
        raise _broken(path, f"invalid TOML: {exc}") from exc
    except (AttributeError, RecursionError) as exc:
        raise _broken(path, "it does not have the form of containers-registries.conf(5)") from exc
    except (ValueError, TypeError) as exc:
        raise _broken(path, str(exc)) from exc


def _broken(path: Path, reason: str) -> ConfigError:
    return ConfigError(
        f"cannot read `{path}`: {reason[:1].lower()}{reason[1:]}",
        hint=Sentence("fix that file first: podman may fail every push and pull until then"),
    )


def _lower(table: Mapping[str, Any]) -> dict[str, Any]:
    """A table with its keys in lower case: Podman's decoder ignores their case.

    Raises:
        ValueError: a key has two values. Podman takes one of them, and another one the next time.
    """
    found: dict[str, Any] = {}
    for key, value in table.items():
        before = found.setdefault(key.lower(), value)
        if before is not value and before != value:
            raise ValueError(f"the key `{key}` is there twice, in another case; podman takes either one by chance")
    return found


def _tables(found: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    tables = found.get("registry", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise TypeError("`registry` is not a list of tables")
    return list(map(_lower, tables))


def _read_table(table: Mapping[str, Any], path: Path) -> Entry:
    """Read a `[[registry]]` table.

    Raises:
        ValueError: Podman rejects it.
    """
    location, prefix = _place(table, "location"), _place(table, "prefix")
    if not location and not prefix.startswith("*."):
        raise ValueError("a [[registry]] table has no location")
    if prefix.startswith("*.") and _NOT_IN_WILDCARD & {*prefix}:
        raise ValueError(f"prefix {prefix} must have the form *.example.com")
    mirrors = table.get("mirror", [])
    if not all(_place(_lower(mirror), "location") for mirror in mirrors):
        raise ValueError("a [[registry.mirror]] table has no location")
    return Entry(
        prefix or location,
        _flag(table, "insecure"),
        path,
        blocked=_flag(table, "blocked"),
        location=location,
        has_mirrors=bool(mirrors),
    )


def _place(table: Mapping[str, Any], key: str) -> str:
    found = table.get(key, "")
    if not isinstance(found, str):
        raise TypeError(f"{key} of a [[registry]] table is not a string")
    if found.startswith(("http://", "https://")):
        raise ValueError(f"location {found} begins with a scheme")
    return found.rstrip("/")


def _flag(table: Mapping[str, Any], key: str) -> bool:
    found = table.get(key, False)
    if not isinstance(found, bool):
        raise TypeError(f"{key} of a [[registry]] table is neither true nor false")
    return found


def _check_conflicts(entries: Sequence[Entry]) -> None:
    """Podman requires all entries of one file for a location to agree."""
    seen: dict[str, Entry] = {}
    for entry in entries:
        place = entry.location or entry.prefix
        first = seen.setdefault(place, entry)
        if (first.insecure, first.blocked) != (entry.insecure, entry.blocked):
            raise ValueError(f"its entries for {place} contradict each other")


def _unique(entries: Iterable[Entry]) -> list[Entry]:
    """If several entries have one prefix, the first in a file counts; across files, the last file's."""
    found: dict[str, Entry] = {}
    for entry in entries:
        found.setdefault(entry.prefix, entry)
    return list(found.values())


def _read_first_version(found: Mapping[str, Any], path: Path, release: int) -> list[Entry]:
    """The entries of the format before `[[registry]]`, which Podman before 6 accepts in a main file."""
    old = _lower(found.get("registries", {}))
    places = {
        use: [str(place).rstrip("/") for place in _lower(old.get(use, {})).get("registries", [])]
        for use in ("search", "insecure", "block")
    }
    if not old or (release < _KNOWS_EMPTY_LISTS and not any(places.values())):
        return []
    if release >= NEW or path.parent.name.endswith(".conf.d") or "registry" in found:
        raise ValueError("it uses [registries.…], version 1 of the format")
    named = dict.fromkeys([*places["block"], *places["insecure"]])
    return [
        Entry(place, place in places["insecure"], path, blocked=place in places["block"], location=place)
        for place in named
    ]


def find_effective(entries: Iterable[Entry], location: str) -> Entry | None:
    """The entry that applies to a registry: the longest prefix, then the last.

    Args:
        entries: Those of all files, in Podman's order.
        location: `host:port`.
    """
    by_prefix = {entry.prefix: entry for entry in entries if entry.covers(location)}
    return max(by_prefix.values(), key=lambda entry: len(entry.prefix), default=None)


def find_permitting(entries: Sequence[Entry], location: str) -> Entry | None:
    """The entry that allows plain HTTP for a registry; None if none does."""
    entry = find_effective(entries, location)
    return entry if entry and entry.find_obstacle(location) is None else None


def find_permission(
    location: str, *, environ: Mapping[str, str] | None = None, etc: Path = ETC, release: int = OLD
) -> Path | None:
    """The file that allows the `podman` program to use plain HTTP for a registry; None if none does.

    Args:
        location: `host:port`.
        environ: The environment; by default the process's.
        etc: The system's configuration folder.
        release: The first number of Podman's version.

    Raises:
        ConfigError: Podman rejects a file that it reads.
    """
    environ = os.environ if environ is None else environ
    entries = [
        entry for file in list_files(environ, release=release, etc=etc) for entry in read_entries(file, release=release)
    ]
    entry = find_permitting(entries, location)
    return entry.path if entry else None


def list_refusals(entries: Iterable[Entry], location: str) -> list[Entry]:
    """The entries that keep Podman from using a registry, or a part of it, although another entry allows plain HTTP.

    Args:
        entries: Those of all files, in Podman's order.
        location: `host:port`.
    """
    by_prefix = {entry.prefix: entry for entry in entries}
    within = [entry for prefix, entry in by_prefix.items() if prefix.startswith(f"{location}/")]
    effective = find_effective(by_prefix.values(), location)
    found = [effective] if effective and effective.find_obstacle(location) else []
    return found + [entry for entry in within if not entry.allows_plain_http]
