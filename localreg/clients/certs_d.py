"""localreg's files in a folder `certs.d`, which has a folder for each registry, named `HOST:PORT`.

A comment in its first line says which registry a file belongs to.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from localreg.clients.file_change import FileChange, read_file
from localreg.errors import ConfigError, reason_of
from localreg.registry.defaults import DEFAULT_NAME
from localreg.system.command_line import Sentence

_MARK = re.compile(rb"# Written by `localreg trust (?P<client>\w+)` for registry `(?P<name>[^`\n]+)`")
_WITH_FOLDER = b"# The folder was made for this file.\n"
_WAS_EMPTY = b"# The file was there and empty.\n"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file that a client needs."""

    path: Path
    text: str


def ca_file(client: str) -> str:
    """The name of a client's file with the certificates of a CA.

    Each `*.crt` in a folder is read, and two clients may read one folder.
    """
    return f"localreg-{client}.crt"


def is_ours(data: bytes | None) -> bool:
    """Whether localreg wrote a file with this content."""
    return _MARK.match(data or b"") is not None


def plan_files(client: str, name: str, folders: Sequence[Path], wanted: Sequence[Wanted]) -> list[FileChange]:
    """Plan the changes after which localreg has these files for a registry, and no other of this client's.

    Args:
        client: The name of the client, as on the command line.
        name: The registry's.
        folders: Each `certs.d` in which localreg may have files.
        wanted: The files.

    Raises:
        ConfigError: a folder or a file cannot be read.
    """
    try:
        changes = [_written(client, name, each) for each in wanted]
        # A change of a folder also removes what a killed one left beside it.
        paths = {each.path for each in wanted} | {change.spare for change in changes if change.changes}
        changes += [_removed(path, data) for path, data in _list_ours(folders, client, name) if path not in paths]
    except OSError as exc:
        hint = Sentence("run the command as root") if isinstance(exc, PermissionError) else None
        raise ConfigError(f"cannot read `{exc.filename}`: {reason_of(exc)}", hint=hint) from exc
    return [change for change in changes if change.changes]


def read_text(path: Path) -> bytes | None:
    """The content of a file; None if it does not exist.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return read_file(path)
    except NotADirectoryError:
        return None
    except OSError as exc:
        raise ConfigError(f"cannot read `{path}`: {reason_of(exc)}") from exc


def _written(client: str, name: str, wanted: Wanted) -> FileChange:
    before = read_file(wanted.path)
    folder = wanted.path.parent
    with_folder = not folder.exists() or any(map(_came_with_folder, folder.iterdir()))
    option = "" if name == DEFAULT_NAME else f"--name {name} "
    head = (
        f"# Written by `localreg trust {client}` for registry `{name}`; "
        f"`localreg {option}untrust {client}` removes it.\n"
    )
    was_empty = before == b"" or (is_ours(before) and _WAS_EMPTY in (before or b""))
    comments = (_WITH_FOLDER if with_folder else b"") + (_WAS_EMPTY if was_empty else b"")
    text = head.encode() + comments + wanted.text.encode()
    return FileChange(wanted.path, before, text, with_folder=with_folder)


def _removed(path: Path, data: bytes) -> FileChange:
    return FileChange(path, data, b"" if _WAS_EMPTY in data else None, with_folder=_WITH_FOLDER in data)


def _list_ours(folders: Sequence[Path], client: str, name: str) -> Iterator[tuple[Path, bytes]]:
    for folder in folders:
        if folder.is_dir():
            for path in sorted(folder.glob("*/*")):
                found = _MARK.match(data := _data(path))
                if found is not None and (found["client"], found["name"]) == (client.encode(), name.encode()):
                    yield path, data


def _data(path: Path) -> bytes:
    """The content of a file that may be localreg's; empty for others, and for one that this user cannot read."""
    with contextlib.suppress(OSError):
        if path.suffix in (".crt", ".toml") and path.is_file():
            return path.read_bytes()
    return b""


def _came_with_folder(path: Path) -> bool:
    data = _data(path)
    return is_ours(data) and _WITH_FOLDER in data
