"""This user's folder for what localreg must remember from one run to the next."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from localreg.system.whole_file import locked_folder

_PRIVATE_FOLDER = 0o700


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
    with locked_folder(file.parent):
        yield


def _make_private(folder: Path) -> None:
    """Create a folder and its parents; who may write to one of them could replace the folder with another."""
    if not folder.is_dir():
        _make_private(folder.parent)
        folder.mkdir(mode=_PRIVATE_FOLDER, exist_ok=True)
