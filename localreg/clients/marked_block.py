"""Lines of localreg in a configuration file of others, between two comments, so that they can be taken back exactly.

TOML and YAML have the same comments. Each block belongs to a registry and says what it is for. A CA is a file beside
the one that names it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from localreg.clients.file_change import FileChange, read_file
from localreg.errors import ConfigError, reason_of
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


def read_text(path: Path) -> str:
    """The text of a file; empty if it does not exist.

    Raises:
        ConfigError: it cannot be read, or is not UTF-8.
    """
    try:
        return (read_file(path) or b"").decode()
    except OSError as exc:
        raise ConfigError(f"cannot read `{path}`: {reason_of(exc)}", hint=Sentence("run the command as root")) from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(f"`{path}` is not UTF-8", hint=Sentence(f"correct {path}")) from exc


def ca_name(name: str) -> str:
    """The name of the file with the CA of a registry, which lies beside the file that names it."""
    return f"localreg-ca-{name}.crt"


def changes_of(path: Path, text: str, *, name: str, ca: str | None) -> list[FileChange]:
    """The changes that give a file a new text, and a CA to the registry whose blocks are in it.

    Args:
        path: The file.
        text: Its new text; empty if nothing is left in it.
        name: The registry's.
        ca: The CA in PEM, if the text names it.
    """
    before = read_text(path)
    ca_path = path.with_name(ca_name(name))
    data = read_file(path)
    if text == before:
        after = data
    elif data == b"" or _was_empty(before):
        # An empty line at the start tells it from a file that localreg made.
        after = ("\n" + text.removeprefix("\n").removesuffix("\n")).encode() if text else b""
    else:
        after = text.encode() or None
    config = FileChange(path, data, after, with_folder=not (before and text))
    beside = FileChange(ca_path, read_file(ca_path), ca.encode() if ca else None, with_folder=True)
    # No file may name a CA that is not there: its program then reaches nothing by that name, or does not start.
    return [change for change in ((beside, config) if ca else (config, beside)) if change.changes]


def _was_empty(text: str) -> bool:
    """Whether an empty file was there before the blocks in it."""
    is_marked = text.startswith("\n")
    for name in {match["name"] for match in _BLOCK.finditer(text)}:
        text = remove_blocks(text, name)
    return text == "" and is_marked


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


def find_end(text: str, name: str, subject: str) -> int | None:
    """The end of the last line of a block, before the end-of-line characters; None if it is not there."""
    found = (match for match in _BLOCK.finditer(text) if (match["name"], match["subject"]) == (name, subject))
    return next((match.end() for match in found), None)


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


def remove_blocks(text: str, name: str, *, if_: Callable[[str], bool] = lambda _: True) -> str:
    """The text as it was before the blocks of a registry were added to it.

    Args:
        text: The file's.
        name: The registry's.
        if_: Whether a block is to be removed, by the text after it.
    """
    for match in reversed(list(_BLOCK.finditer(text))):
        if match["name"] == name and if_(text[match.end() :]):
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
