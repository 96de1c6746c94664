"""The entries of a registry in the `registries.yaml` of K3s, as lines that are added below its keys."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localreg.clients.marked_block import Block, add_block, find_end, list_blocks, remove_blocks
from localreg.errors import ConfigError
from localreg.system.command_line import Sentence
from localreg.system.extra import install_command

_BYTE_ORDER_MARK = "\ufeff"
_INDENT = "  "
_KEY = "*"
"""The name of a block with a key that several registries may use."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A value of the file."""

    keys: tuple[str, ...]
    """The keys that lead to it."""
    value: Any


def wanted_for(location: str, ca_file: Path | None) -> list[Wanted]:
    """The values for one location.

    Args:
        location: `host:port`.
        ca_file: Its CA; None for plain HTTP.
    """
    scheme = "http" if ca_file is None else "https"
    found = [Wanted(("mirrors", location), {"endpoint": [f"{scheme}://{location}"]})]
    if ca_file is not None:
        found.append(Wanted(("configs", location, "tls"), {"ca_file": str(ca_file)}))
    return found


def read_values(text: str, path: Path) -> Mapping[str, Any]:
    """The content of the file, as K3s reads it.

    Raises:
        ConfigError: it is not a mapping in YAML, or the library to read it is not installed.
    """
    text = text.removeprefix(_BYTE_ORDER_MARK)
    if not text.strip():
        return {}
    yaml, errors = _library(path)
    try:
        found = yaml.load(text)
    except errors as exc:
        why = " ".join(str(exc).split())
        raise ConfigError(
            f"`{path}` is not valid YAML, so K3s does not start: {why}", hint=Sentence(f"correct {path}")
        ) from exc
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise ConfigError(f"`{path}` is not a mapping", hint=Sentence(f"correct {path}"))
    return found


def set_values(text: str, name: str, wanted: Sequence[tuple[str, Wanted]], path: Path) -> str:
    """The text with exactly these values for a registry; unchanged if it has them.

    Args:
        text: The file's.
        name: The registry's.
        wanted: Each location with a value that the file does not have without localreg's lines.
        path: The file, for errors.

    Raises:
        ConfigError: the values cannot be added to it.
    """
    blocks = list_blocks(text, path)
    rest = after = without_registry(text, name)
    for location, value in wanted:
        after = _add(after, name, location, value, path)
    reason = _find_fault(rest, after, [value for _, value in wanted], path) if wanted else None
    if reason is not None:
        lines = [line for _, value in wanted for line in _lines(value.keys, value.value)]
        raise ConfigError(
            f"cannot add the registry to `{path}`",
            hint=Sentence(f"add these lines to {path}"),
            details=[reason, *lines],
        )
    # Another order of the same values is not a reason to write the file.
    return text if _ours(blocks, name) == _ours(list_blocks(after, path), name) else after


def without_registry(text: str, name: str) -> str:
    """The text as it was before the values of a registry were added to it."""
    return remove_blocks(remove_blocks(text, name), _KEY, if_=_is_end_of_mapping)


def _is_end_of_mapping(below: str) -> bool:
    """Whether the key above has no value."""
    lines = (line for line in below.splitlines() if line.strip() and not line.lstrip().startswith("#"))
    return not next(lines, "").startswith(" ")


def _ours(blocks: Sequence[Block], name: str) -> list[tuple[str, str]]:
    return sorted((block.subject, block.body) for block in blocks if block.name == name)


def _add(text: str, name: str, location: str, wanted: Wanted, path: Path) -> str:
    """Add a value below the last of its keys that is there; a first key of localreg's own is a block for itself."""
    if not _has_key(text, wanted.keys[0], path):
        text = add_block(text, Block(_KEY, wanted.keys[0], f"{wanted.keys[0]}:\n"))
    at, column, missing = _find_place(text, wanted.keys, path)
    body = "".join(f"{line}\n" for line in _lines(missing, wanted.value))
    return add_block(text, Block(name, location, body), at=at, indent=" " * column)


def _has_key(text: str, key: str, path: Path) -> bool:
    return find_end(text, _KEY, key) is not None or (not _is_ours_alone(text) and key in read_values(text, path))


def _is_ours_alone(text: str) -> bool:
    """Whether only localreg wrote in it."""
    for name in {block.name for block in list_blocks(text, Path())}:
        text = remove_blocks(text, name)
    return not text.strip()


def _find_place(text: str, keys: Sequence[str], path: Path) -> tuple[int, int, Sequence[str]]:
    """The end of the line after which a value belongs, its column, and the keys that are missing there."""
    own = find_end(text, _KEY, keys[0])
    if own is not None:
        return own, len(_INDENT), keys[1:]
    mark = _BYTE_ORDER_MARK if text.startswith(_BYTE_ORDER_MARK) else ""
    content = text.removeprefix(mark)
    node = _library(path)[0].compose(content)
    at, column, missing = 0, 0, keys
    while missing:
        pairs = [pair for pair in node.value if isinstance(pair, tuple)] if isinstance(node.value, list) else []
        column = pairs[0][0].start_mark.column if pairs else column
        found = next((pair for pair in pairs if pair[0].value == missing[0]), None)
        if found is None:
            break
        key, node = found
        missing = missing[1:]
        at = _end_of_line(content, key.end_mark.index)
        column += len(_INDENT)
    return at + len(mark), column, missing


def _end_of_line(text: str, index: int) -> int:
    end = text.find("\n", index)
    return len(text) if end < 0 else end - (text[end - 1] == "\r")


def _lines(keys: Sequence[str], value: Any) -> list[str]:
    """A value below its keys, in block style."""
    if keys:
        return [f"{_key(keys[0])}:", *(_INDENT + line for line in _lines(keys[1:], value))]
    if isinstance(value, list):
        return [f"- {_key(item)}" for item in value]
    lines = []
    for key, item in value.items():
        lines += _lines([key], item) if isinstance(item, list) else [f"{_key(key)}: {_key(item)}"]
    return lines


def _key(text: str) -> str:
    """A word as it is, other text as a JSON string, which YAML reads."""
    return text if text.replace("_", "").isalpha() else json.dumps(text, ensure_ascii=False)


def _find_fault(rest: str, after: str, wanted: Sequence[Wanted], path: Path) -> str | None:
    """Why the text with the values is not what was meant; None if it is."""
    if _is_ours_alone(rest):
        return None
    expected: dict[str, Any] = dict(read_values(rest, path))
    for value in wanted:
        _put(expected, value.keys, value.value)
    try:
        found = read_values(after, path)
    except ConfigError as exc:
        return exc.message.partition(": ")[2]
    return None if found == expected else "the lines cannot be added to what is there"


def _put(values: dict[str, Any], keys: Sequence[str], value: Any) -> None:
    for key in keys[:-1]:
        if values.get(key) is None:
            values[key] = {}
        if not isinstance(values[key], dict):
            return
        values = values[key]
    values[keys[-1]] = value


def _library(path: Path) -> tuple[Any, type[Exception]]:
    try:
        from ruamel.yaml import YAML  # noqa: PLC0415 -- only for a file of others
        from ruamel.yaml.error import YAMLError  # noqa: PLC0415
    except ImportError as exc:
        raise ConfigError(
            f"`{path}` exists, and reading it needs the library ruamel.yaml", hint=install_command("k3s", "ruamel.yaml")
        ) from exc
    return YAML(typ="safe", pure=True), YAMLError
