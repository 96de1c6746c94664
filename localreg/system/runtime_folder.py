"""This user's folder for sockets and locks, which last no longer than a login."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from localreg.errors import LocalregError, reason_of
from localreg.system.command_line import Sentence

_LONGEST_PATH = 103
"""The longest path of a Unix socket in bytes; on macOS, which allows four less than Linux."""


def runtime_folder(longest_name: str) -> Path:
    """A folder that only this user can enter; created if it does not exist.

    Args:
        longest_name: The longest name of a socket in it; the whole path must not be too long for a socket.

    Raises:
        LocalregError: the folder cannot be created, or is not private.
    """
    parent = next(filter(_is_ours, _runtime_parents()), None)
    folder = parent / "localreg" if parent else None
    if folder is None or _is_too_long(folder / longest_name):
        folder = temporary_folder()
    if _is_too_long(folder / longest_name):
        raise LocalregError(f"the path `{folder}` is too long for a socket", hint="export TMPDIR=/tmp")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as exc:
        raise LocalregError(f"cannot create the folder `{folder}`: {reason_of(exc)}") from exc
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        hint = f"rm -r {folder}" if found.st_uid == os.getuid() else Sentence("set TMPDIR to a folder of your own")
        raise LocalregError(f"other users can access the folder `{folder}`, or it belongs to one", hint=hint)
    return folder


def possible_folders() -> Iterator[Path]:
    """The places where the folder may already exist; nothing is created."""
    yield from (parent / "localreg" for parent in filter(_is_ours, _runtime_parents()))
    yield temporary_folder()


def temporary_folder() -> Path:
    """The folder to use if the system has no runtime folder."""
    return Path(tempfile.gettempdir()) / f"localreg-{os.getuid()}"


def _runtime_parents() -> Iterator[Path]:
    configured = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
    if configured.is_absolute():
        yield configured
    yield Path("/run") if os.getuid() == 0 else Path("/run/user") / str(os.getuid())


def _is_ours(folder: Path) -> bool:
    """This user owns it. Root may have a user's environment, but the user could not use a socket of root's."""
    try:
        return folder.stat().st_uid == os.getuid() and os.access(folder, os.W_OK)
    except OSError:
        return False


def _is_too_long(path: Path) -> bool:
    return len(os.fsencode(path)) > _LONGEST_PATH
