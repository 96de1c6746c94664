"""This user's folder for what localreg must remember from one run to the next, and private files in it."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

_PRIVATE_FOLDER, _PRIVATE_FILE = 0o700, 0o600


def data_folder(environ: Mapping[str, str] | None = None) -> Path | None:
    """`$XDG_DATA_HOME/localreg`, which may not exist; None for a user without a home.

    Args:
        environ: The environment; the process's own by default.
    """
    environ = os.environ if environ is None else environ
    configured, home = environ.get("XDG_DATA_HOME", ""), environ.get("HOME")
    if Path(configured).is_absolute():
        return Path(configured) / "localreg"
    return Path(home) / ".local" / "share" / "localreg" if home else None


@contextlib.contextmanager
def locked(file: Path) -> Iterator[None]:
    """Keep other localreg processes from changing a private file; its folder is created.

    Raises:
        OSError: the folder cannot be created or opened.
    """
    _make_private(file.parent)
    descriptor = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _make_private(folder: Path) -> None:
    """Create a folder and its parents; who may write to one of them could replace the folder with another."""
    if not folder.is_dir():
        _make_private(folder.parent)
        folder.mkdir(mode=_PRIVATE_FOLDER, exist_ok=True)


def replace_private_file(file: Path, data: bytes) -> None:
    """Write a file that only this user can read; a reader sees the old content or the new, never half of it.

    Args:
        file: Its path, `locked` by this process.
        data: Its content.

    Raises:
        OSError: it cannot be written.
    """
    # A fixed name, so that the next run removes the file that a killed one left.
    new = file.with_name(f".{file.name}.new")
    new.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE_FILE), "wb") as opened:
            opened.write(data)
            opened.flush()
            os.fsync(opened.fileno())
        new.replace(file)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
