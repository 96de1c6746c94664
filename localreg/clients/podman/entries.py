"""Our own entries in a `registries.conf` drop-in: added, found again by their mark, and taken out to the byte.

The mark is the comment behind the location. Everything else in the file is somebody else's: tomlkit tells which tables
carry a mark, and only the lines of those tables are touched.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit
import tomlkit.exceptions
from tomlkit.items import AoT, String

from localreg.clients.podman.registries_conf import parse_entries
from localreg.errors import ConfigError

_HEADER = "# Written by `localreg podman-fix`; `localreg podman-fix --remove` takes it away again.\n"
_MARK = "# localreg: "

_LINE = re.compile(r"[^\n]*\n|[^\n]+\Z")
_TABLE = re.compile(r"\s*\[")
_REGISTRY_TABLE = re.compile(r"""\s*\[\[\s*(?:registry|"registry"|'registry')\s*\]\]""")
_PART_OF_REGISTRY = re.compile(r"""\s*\[\[?\s*(?:registry|"registry"|'registry')\s*\.""")
_COMMENT = re.compile(r"\s*#")
_BLANK_OR_COMMENT = re.compile(r"\s*(?:#.*)?\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class MarkedEntry:
    """An entry that carries the mark of a registry of ours."""

    index: int
    """Among all `[[registry]]` tables of the file."""
    name: str
    """The registry's."""
    values: Mapping[str, Any]

    @property
    def location(self) -> str:
        """`host:port`."""
        return str(self.values["location"])

    @property
    def is_as_written(self) -> bool:
        """Nobody changed what it says; keys that were added to it do not matter."""
        return self.values.get("insecure") is True and not self.values.get("blocked") and "prefix" not in self.values


def list_marked(text: str, path: Path) -> list[MarkedEntry]:
    """Our entries in a file, in its order.

    Raises:
        ConfigError: it is no TOML.
    """
    try:
        tables = tomlkit.parse(text).get("registry")
    except tomlkit.exceptions.TOMLKitError as exc:
        raise ConfigError(f"`{path}` is no TOML: {exc}") from exc
    if not isinstance(tables, AoT):
        return []
    found = []
    for index, table in enumerate(tables):
        location = table.get("location")
        if isinstance(location, String) and location.trivia.comment.startswith(_MARK):
            name = location.trivia.comment.removeprefix(_MARK).strip()
            found.append(MarkedEntry(index, name, table.unwrap()))
    return found


def set_entries(text: str, name: str, locations: Sequence[str], path: Path) -> str:
    """The text with these entries, and no others, marked as those of a registry; unchanged where it has them.

    Args:
        text: The file's.
        name: The registry's.
        locations: `host:port`; none takes the entries out.
        path: The file, for errors.

    Raises:
        ConfigError: it cannot be done without damage to what else is in the file.
    """
    ours = [entry for entry in list_marked(text, path) if entry.name == name]
    if sorted(entry.location for entry in ours) == sorted(locations) and all(entry.is_as_written for entry in ours):
        return text
    return add_entries(remove_entries(text, name, path), name, locations, path)


def add_entries(text: str, name: str, locations: Sequence[str], path: Path) -> str:
    """The text with entries that allow plain HTTP for these locations, marked as those of the registry.

    Raises:
        ConfigError: Podman would not take the file then.
    """
    added = text
    for location in locations:
        table = tomlkit.table()
        table.add("location", location)
        table["location"].comment(f"{_MARK}{name}")
        table.add("insecure", value=True)
        tables = tomlkit.aot()
        tables.append(table)
        added = f"{added or _HEADER}\n{tomlkit.dumps({'registry': tables}).strip()}\n"
    try:
        parse_entries(added, path)
    except ConfigError as exc:
        raise ConfigError(
            f"podman would refuse `{path}` with an entry for {' and '.join(locations)} in it",
            hint=f"move what localreg did not write from {path} to another file in that folder",
            details=[exc.message],
        ) from exc
    return added


def remove_entries(text: str, name: str, path: Path) -> str:
    """The text without the entries of a registry, and else the same to the byte; empty when nothing is left.

    What was added to one of our entries goes with it, but for comments on lines of their own.

    Raises:
        ConfigError: it cannot be told which lines they are.
    """
    marked = list_marked(text, path)
    ours = [entry.index for entry in marked if entry.name == name]
    if not ours:
        return text
    lines = _LINE.findall(text)
    starts = [number for number, line in enumerate(lines) if _REGISTRY_TABLE.match(line)]
    rest = text
    if ours[-1] < len(starts):
        for index in reversed(ours):
            lines = _without_table(lines, starts[index])
        rest = "".join(lines)
    if len(marked) == len(ours):
        rest = rest.removeprefix(_HEADER)
    if not _is_rest(rest, text, ours):
        raise ConfigError(
            f"localreg cannot tell its own entries in `{path}` from what was added to them",
            hint=f"remove the entries that are marked `{_MARK}{name}` from {path}",
        )
    return rest if rest.strip() else ""


def _without_table(lines: Sequence[str], start: int) -> list[str]:
    """The lines without the table that begins there, and without the empty line that was put before it."""
    end = start + 1
    while end < len(lines) and (not _TABLE.match(lines[end]) or _PART_OF_REGISTRY.match(lines[end])):
        end += 1
    while _BLANK_OR_COMMENT.match(lines[end - 1]):
        end -= 1
    comments = [line for line in lines[start:end] if _COMMENT.match(line)]
    before, after = "".join(lines[:start]), "".join([*comments, *lines[end:]])
    if re.search(r"(?:\A|\n)\r?\n\Z", before) or after.strip("\r\n") == "" or after.startswith(("\n", "\r\n")):
        before = re.sub(r"\r?\n\Z", "", before)
    return _LINE.findall(before + after)


def _is_rest(rest: str, text: str, removed: Sequence[int]) -> bool:
    """Whether the rest says what the text says, without the tables that were to be removed."""
    expected = tomllib.loads(text)
    tables = [table for index, table in enumerate(expected.pop("registry")) if index not in removed]
    if tables:
        expected["registry"] = tables
    try:
        return tomllib.loads(rest) == expected
    except tomllib.TOMLDecodeError:
        return False
