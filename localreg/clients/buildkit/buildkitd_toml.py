"""The entries of a registry in a `buildkitd.toml`."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localreg.clients.file_change import FileChange
from localreg.clients.marked_block import (
    Block,
    add_block,
    ca_name,
    changes_of,
    list_blocks,
    read_text,
    remove_blocks,
)
from localreg.clients.port import Obstacle, Target
from localreg.errors import ConfigError
from localreg.system.address import is_loopback
from localreg.system.command_line import Sentence

FILE = "buildkitd.toml"


@dataclass(frozen=True, slots=True)
class Entry:
    """How BuildKit is to reach one location."""

    location: str
    """`host:port`."""
    ca_file: Path | None = None
    """Where localreg puts its CA; None for plain HTTP."""
    ca: str = ""
    """Its CA in PEM."""

    @property
    def values(self) -> dict[str, Any]:
        """The keys of its table.

        BuildKit uses plain HTTP for loopback, whatever the CA, unless `http` is false. With `insecure` it would not
        verify the certificate.
        """
        return {"http": True} if self.ca_file is None else {"http": False, "ca": [str(self.ca_file)]}

    def is_met(self, table: Mapping[str, Any] | None) -> bool:
        """Whether BuildKit reaches it as another's table says.

        Args:
            table: None without one.
        """
        table = table or {}
        plain = table.get("http", is_loopback(self.location))
        if self.ca_file is None:
            return bool(plain)
        if table.get("insecure") is True:
            return "http" not in table
        return not plain and _has_ca(table.get("ca", []), self.ca)


def list_entries(file: Path, target: Target) -> list[Entry]:
    """The entries that a file has to have for a registry; its CA is to be beside it."""
    if target.ca is None:
        return [Entry(location) for location in target.locations]
    return [Entry(location, file.with_name(ca_name(target.name)), target.ca) for location in target.locations]


def plan_file(file: Path, target: Target, entries: Sequence[Entry]) -> list[FileChange]:
    """The changes after which a file has exactly these entries for a registry, and its CA is beside it.

    Raises:
        ConfigError: it cannot be read or parsed, or the entries cannot be added to it.
    """
    text = set_entries(read_text(file), target.name, entries, file)
    return changes_of(file, text, name=target.name, ca=target.ca if entries else None)


def read_registries(text: str, path: Path) -> Mapping[str, Mapping[str, Any]]:
    """The tables of registries, by `host:port`.

    Raises:
        ConfigError: it is not valid TOML.
    """
    try:
        found = tomllib.loads(text).get("registry", {})
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError(
            f"`{path}` is not valid TOML, so BuildKit does not start: {exc}", hint=Sentence(f"correct {path}")
        ) from exc
    if not isinstance(found, dict):
        raise ConfigError(f"`{path}` has a `registry` that is not a table", hint=Sentence(f"correct {path}"))
    return {location: table for location, table in found.items() if isinstance(table, dict)}


def find_obstacle(entry: Entry, table: Mapping[str, Any], path: Path) -> Obstacle | None:
    """Why another's table cannot be completed; None if it can.

    Args:
        entry: What it lacks.
        table: Its keys.
        path: The file.
    """
    taken = [key for key in (*entry.values, "insecure") if key in table]
    if not taken:
        return None
    lines = " and ".join(_lines(entry.values).splitlines())
    what = f'`{path}` has a [registry."{entry.location}"] with its own `{"`, `".join(taken)}`'
    return Obstacle(what, Sentence(f"change it to {lines}, without `insecure`"))


def set_entries(text: str, name: str, entries: Sequence[Entry], path: Path) -> str:
    """The text with exactly these entries for a registry; unchanged if it has them.

    Args:
        text: The file's.
        name: The registry's.
        entries: None of them has an obstacle.
        path: The file, for errors.

    Raises:
        ConfigError: the entries cannot be added to it.
    """
    ours = [block for block in list_blocks(text, path) if block.name == name]
    rest = remove_blocks(text, name)
    if not entries:
        return rest
    tables = read_registries(rest, path)
    blocks = [Block(name, entry.location, _body(entry, is_there=entry.location in tables)) for entry in entries]
    if ours == blocks:
        return text
    after = rest
    for entry, block in zip(entries, blocks, strict=True):
        after = _add(after, entry, block, is_there=entry.location in tables)
    reason = _find_fault(rest, after, entries)
    if reason is not None:
        raise ConfigError(
            f"cannot add the registry to `{path}`",
            hint=Sentence(f"add these lines to {path}"),
            details=[reason, *(line for entry in entries for line in _body(entry, is_there=False).splitlines())],
        )
    return after


def _add(text: str, entry: Entry, block: Block, *, is_there: bool) -> str:
    if not is_there:
        return add_block(text, block)
    header = re.search(
        rf"""^\s*\[\s*registry\s*\.\s*["']{re.escape(entry.location)}["']\s*\][^\n]*$""", text, re.MULTILINE
    )
    if header is None:
        # It stands in another table, so the check that follows says that it cannot be added.
        return add_block(text, block)
    end = len(header[0].rstrip("\r")) + header.start()
    return add_block(text, block, at=end)


def _body(entry: Entry, *, is_there: bool) -> str:
    head = "" if is_there else f"[registry.{json.dumps(entry.location)}]\n"
    return head + _lines(entry.values)


def _lines(values: Mapping[str, Any]) -> str:
    # Booleans, and a list of paths, read the same in JSON and TOML.
    return "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in values.items())


def _find_fault(rest: str, after: str, entries: Sequence[Entry]) -> str | None:
    """Why the text with the entries is not what was meant; None if it is."""
    try:
        wanted, found = tomllib.loads(rest), tomllib.loads(after)
    except tomllib.TOMLDecodeError as exc:
        return str(exc)
    for entry in entries:
        wanted.setdefault("registry", {}).setdefault(entry.location, {}).update(entry.values)
    return None if found == wanted else "the lines cannot be added to what is there"


def _has_ca(paths: Sequence[Any], ca: str) -> bool:
    """Whether one of the files has the CA."""
    return any(ca.strip() in read_text(Path(str(path))) for path in paths)
