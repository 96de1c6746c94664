"""localreg's entries in a `registries.conf` drop-in: adding, finding and removing them.

A comment after the location marks an entry as localreg's. Everything else in the file belongs to others: tomlkit finds
the marked tables, and only their lines change.
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

from localreg.clients.podman.registries_conf import MARK, parse_entries
from localreg.errors import ConfigError
from localreg.system.command_line import Sentence

_HEADER = "# Written by `localreg podman-fix`; `localreg podman-fix --remove` removes it.\n"

_LINE = re.compile(r"[^\n]*\n|[^\n]+\Z")
_TABLE = re.compile(r"\s*\[")
_REGISTRY_TABLE = re.compile(r"""\s*\[\[\s*(?:registry|"registry"|'registry')\s*\]\]""")
_PART_OF_REGISTRY = re.compile(r"""\s*\[\[?\s*(?:registry|"registry"|'registry')\s*\.""")
_COMMENT = re.compile(r"\s*#")
_BLANK_OR_COMMENT = re.compile(r"\s*(?:#.*)?\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class MarkedEntry:
    """An entry with localreg's mark."""

    index: int
    """Its position among all `[[registry]]` tables of the file."""
    name: str
    """The registry's."""
    values: Mapping[str, Any]

    @property
    def location(self) -> str:
        """`host:port`."""
        return str(self.values["location"])

    @property
    def is_as_written(self) -> bool:
        """Whether the entry still says the same; added keys do not matter."""
        return self.values.get("insecure") is True and not self.values.get("blocked") and "prefix" not in self.values


def list_marked(text: str, path: Path) -> list[MarkedEntry]:
    """List the entries of localreg in a file, in its order.

    Raises:
        ConfigError: the file is not valid TOML.
    """
    try:
        tables = tomlkit.parse(text).get("registry")
    except tomlkit.exceptions.TOMLKitError as exc:
        raise ConfigError(f"`{path}` is not valid TOML: {exc}") from exc
    if not isinstance(tables, AoT):
        return []
    found = []
    for index, table in enumerate(tables):
        location = table.get("location")
        if isinstance(location, String) and location.trivia.comment.startswith(MARK):
            name = location.trivia.comment.removeprefix(MARK).strip()
            found.append(MarkedEntry(index, name, table.unwrap()))
    return found


def set_entries(text: str, name: str, locations: Sequence[str], path: Path) -> str:
    """The text with exactly these entries for a registry; unchanged if it has them.

    Args:
        text: The file's.
        name: The registry's.
        locations: `host:port`; an empty list removes the entries.
        path: The file, for errors.

    Raises:
        ConfigError: the change would damage other parts of the file.
    """
    ours = [entry for entry in list_marked(text, path) if entry.name == name]
    if sorted(entry.location for entry in ours) == sorted(locations) and all(entry.is_as_written for entry in ours):
        return text
    return add_entries(remove_entries(text, name, path), name, locations, path)


def add_entries(text: str, name: str, locations: Sequence[str], path: Path) -> str:
    """The text with added entries that allow plain HTTP for these locations, marked for the registry.

    Raises:
        ConfigError: Podman would not read the entries beside what is there.
    """
    newline = "\r\n" if "\r\n" in text else "\n"
    added = text
    for location in locations:
        table = tomlkit.table()
        table.add("location", location)
        table["location"].comment(f"{MARK}{name}")
        table.add("insecure", value=True)
        tables = tomlkit.aot()
        tables.append(table)
        lines = f"\n{tomlkit.dumps({'registry': tables}).strip()}\n".replace("\n", newline)
        added = (added or _HEADER) + lines
    reason = _find_fault(added, text, locations, path)
    if reason is not None:
        raise ConfigError(
            f"cannot add an entry for {' and '.join(locations)} to `{path}`",
            hint=Sentence(f"move the entries that localreg did not write from {path} to another file in that folder"),
            details=[reason],
        )
    return added


def _find_fault(added: str, text: str, locations: Sequence[str], path: Path) -> str | None:
    """Why the text with the entries is not what was meant; None if it is."""
    try:
        parse_entries(added, path)
    except ConfigError as exc:
        return exc.message.partition("`: ")[2]
    wanted = tomllib.loads(text)
    for location in locations:
        wanted.setdefault("registry", []).append({"location": location, "insecure": True})
    return None if tomllib.loads(added) == wanted else "the entries cannot be added to what is there"


def remove_entries(text: str, name: str, path: Path) -> str:
    """The text without the entries of a registry, otherwise unchanged; empty if nothing is left.

    Keys that were added to an entry are removed with it. Comments on separate lines are kept.

    Raises:
        ConfigError: the lines of the entries cannot be identified.
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
            f"localreg cannot tell its entries in `{path}` from changes that were made to them",
            hint=Sentence(f"remove the entries marked `{MARK}{name}` from {path}"),
        )
    return rest if rest.strip() else ""


def _without_table(lines: Sequence[str], start: int) -> list[str]:
    """The lines without the table that begins at `start`, and without the empty line that was added before it."""
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
    """Whether the rest means the same as the text without the removed tables."""
    expected = tomllib.loads(text)
    tables = [table for index, table in enumerate(expected.pop("registry")) if index not in removed]
    if tables:
        expected["registry"] = tables
    try:
        return tomllib.loads(rest) == expected
    except tomllib.TOMLDecodeError:
        return False
