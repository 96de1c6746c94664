"""Arguments that are archives, not images of the engine or of a registry."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from localreg.places.layout.files import DOCKER_MANIFEST, INDEX

_ENDINGS = (".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst")
_TRANSPORTS = ("docker-archive", "oci-archive", "oci")
"""How skopeo and Podman begin the names of archives and layouts."""


def is_path(name: str) -> bool:
    """It can only be a path: no image has such a name."""
    return name.startswith(("/", "./", "../"))


def ends_like_archive(name: str) -> bool:
    """It is a name that people give to archives; an image or a repository may also have it."""
    return ":" not in name and name.endswith(_ENDINGS)


def path_after_transport(name: str) -> str | None:
    """The file or folder that `oci-archive:FILE` and the like name.

    Returns:
        None if there is none, or if something has the whole name.
    """
    transport, _, rest = name.partition(":")
    path = rest.partition(":")[0]
    is_one = transport in _TRANSPORTS and path and not exists(name) and _is_archive(Path(path))
    return path if is_one else None


def exists(name: str) -> bool:
    """There is a file or a folder of this name."""
    try:
        return Path(name).exists()
    except OSError:
        # It is too long for one.
        return False


def archives_in(names: Sequence[str]) -> list[str]:
    """The names that are paths or may be, and those that are files or folders with images.

    An image of the engine may have the name of a file; `is_path` tells which names need no such look.
    """
    return [name for name in names if is_path(name) or ends_like_archive(name) or _is_archive(Path(name))]


def _is_archive(path: Path) -> bool:
    try:
        return any((path / name).is_file() for name in (INDEX, DOCKER_MANIFEST)) if path.is_dir() else path.exists()
    except OSError:
        # The name is too long for one of a file.
        return False
