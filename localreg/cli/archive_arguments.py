"""Arguments of `push` that are archives, not images of the engine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from localreg.places.layout.files import DOCKER_MANIFEST, INDEX


def is_path(name: str) -> bool:
    """It can only be a path: no image has such a name."""
    return name.startswith(("/", "./", "../"))


def archives_in(names: Sequence[str]) -> list[str]:
    """The names that are paths, and those that are files or folders with images.

    An image of the engine may have the name of a file; `is_path` tells which names need no such look.
    """
    return [name for name in names if is_path(name) or _is_archive(Path(name))]


def _is_archive(path: Path) -> bool:
    try:
        return any((path / name).is_file() for name in (INDEX, DOCKER_MANIFEST)) if path.is_dir() else path.exists()
    except OSError:
        # The name is too long for one of a file.
        return False
