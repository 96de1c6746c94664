"""Lines of localreg in a configuration file of others, between two comments, so that they can be taken back exactly.

TOML and YAML have the same comments. Each block belongs to a registry and says what it is for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from localreg.errors import ConfigError
from localreg.system.command_line import Sentence

_BEGIN = "# localreg trust: {name}, {subject} (`localreg untrust` removes it)"
_END = "# localreg trust: end"
_BLOCK = re.compile(
    r"^(?P<indent>[ \t]*)# localreg trust: (?P<name>[^,\s]+), (?P<subject>\S+) \(`localreg untrust` removes it\)\r?\n"
    r"(?P<body>(?:(?![ \t]*# localreg trust: )[^\n]*\n)*?)"
    r"[ \t]*# localreg trust: end(?=\r?$)",
    re.MULTILINE,
)
_MARK = re.compile(r"^[ \t]*# localreg trust: ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """Lines of localreg."""

    name: str
    """The registry's."""
    subject: str
    """What they are for, such as `localhost:5000`; a word."""
    body: str
    """The lines between the comments, with LF and without an indent."""


def list_blocks(text: str, path: Path) -> list[Block]:
    """List the blocks of localreg in a file.

    Args:
        text: The file's.
        path: The file, for errors.

    Raises:
        ConfigError: a comment that begins or ends a block was changed or removed.
    """
    found = list(_BLOCK.finditer(text))
    if len(_MARK.findall(text)) != 2 * len(found):
        raise ConfigError(
            f"localreg cannot tell its lines in `{path}` from changes that were made to them",
            hint=Sentence(f"remove the lines between the comments `# localreg trust` from {path}"),
        )
    return [Block(match["name"], match["subject"], _body_of(match)) for match in found]


def add_block(text: str, block: Block, *, at: int | None = None, indent: str = "") -> str:
    """The text with a block on lines of its own.

    Args:
        text: The file's; may be empty.
        block: What to add.
        at: The end of the line after which it is added, before the end-of-line characters; the end of the text by
            default.
        indent: The blanks before each of its lines.
    """
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = [_BEGIN.format(name=block.name, subject=block.subject), *block.body.splitlines(), _END]
    added = newline.join(f"{indent}{line}" if line else "" for line in lines)
    if not text:
        return added + newline
    if at is None:
        at = len(text) - len(re.search(r"(?:\r?\n)?\Z", text)[0])  # type: ignore[index]  # it matches every text
    return text[:at] + newline + added + text[at:]


def remove_blocks(text: str, name: str) -> str:
    """The text as it was before the blocks of a registry were added to it."""
    for match in reversed(list(_BLOCK.finditer(text))):
        if match["name"] == name:
            before, after = text[: match.start()], text[match.end() :]
            # An end of line was added before it; the first line of a file has none there.
            if before:
                before = before.removesuffix("\n").removesuffix("\r")
            else:
                after = after.removeprefix("\r").removeprefix("\n")
            text = before + after
    return text


def _body_of(match: re.Match[str]) -> str:
    lines = match["body"].replace("\r\n", "\n").splitlines(keepends=True)
    return "".join(line.removeprefix(match["indent"]) for line in lines)
