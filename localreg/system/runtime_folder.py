"""The folder for what lives no longer than a login: sockets and locks, for this user alone."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from localreg.errors import LocalregError

_LONGEST_PATH = 103
"""Of a Unix socket, in bytes: macOS has four less than Linux."""


def runtime_folder(longest_name: str) -> Path:
    """A folder that only this user can enter; made where it is missing.

    Args:
        longest_name: The longest name that a socket in it will have: a path that leaves no room for it will not do.

    Raises:
        LocalregError: there is no such folder, and none can be made.
    """
    parent = next(filter(_is_ours, _runtime_parents()), None)
    folder = parent / "localreg" if parent else None
    if folder is None or _is_too_long(folder / longest_name):
        folder = temporary_folder()
    if _is_too_long(folder / longest_name):
        raise LocalregError(f"`{folder}` is too long a path for a socket", hint="export TMPDIR=/tmp")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as exc:
        raise LocalregError(f"cannot make the folder `{folder}`: {exc.strerror}") from exc
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        hint = f"rm -r {folder}" if found.st_uid == os.getuid() else "set TMPDIR to a folder of your own"
        raise LocalregError(f"`{folder}` is not a folder that is yours alone", hint=hint)
    return folder


def possible_folders() -> Iterator[Path]:
    """Where such a folder may be already; nothing is made."""
    yield from (parent / "localreg" for parent in filter(_is_ours, _runtime_parents()))
    yield temporary_folder()


def temporary_folder() -> Path:
    """The folder where none of the system's will do."""
    return Path(tempfile.gettempdir()) / f"localreg-{os.getuid()}"


def _runtime_parents() -> Iterator[Path]:
    configured = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
    if configured.is_absolute():
        yield configured
    yield Path("/run") if os.getuid() == 0 else Path("/run/user") / str(os.getuid())


def _is_ours(folder: Path) -> bool:
    """Root that kept a user's environment leaves that user's folder alone: what it makes there the user cannot use."""
    try:
        return folder.stat().st_uid == os.getuid() and os.access(folder, os.W_OK)
    except OSError:
        return False


def _is_too_long(path: Path) -> bool:
    return len(os.fsencode(path)) > _LONGEST_PATH
