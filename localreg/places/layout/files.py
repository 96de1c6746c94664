"""The files of an archive or a layout, and those of a folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from localreg.errors import InvalidArchiveError, reason_of

INDEX = "index.json"
"""Lists what an OCI layout has."""
DOCKER_MANIFEST = "manifest.json"
"""Lists what a docker-archive has."""

CHUNK = 1 << 20
"""Bytes that are read at once."""
_LARGEST = 64 << 20
"""Bytes of a list of what an archive has; with a hundred thousand names it is half as large."""


class Files(Protocol):
    """Files by their names; safe to use from several threads."""

    def __contains__(self, name: object) -> bool:
        """There is such a file."""

    def size(self, name: str) -> int:
        """Bytes of a file."""

    def read(self, name: str) -> Iterator[bytes]:
        """The bytes of a file.

        Raises:
            InvalidArchiveError: it is missing, cut or cannot be read.
        """


def read_small(files: Files, name: str, *, limit: int = _LARGEST) -> bytes:
    """A file that is read as a whole.

    Args:
        files: Has it.
        name: Its name.
        limit: The most bytes that it may have.

    Raises:
        InvalidArchiveError: it is missing, too large, cut or cannot be read.
    """
    if name in files and files.size(name) > limit:
        raise InvalidArchiveError(f"`{name}` in {files} is too large: {files.size(name)} bytes, more than {limit}")
    return b"".join(files.read(name))


class Folder:
    """Files in a folder.

    Args:
        path: Its path.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def __str__(self) -> str:
        return f"`{self._path}`"

    def __contains__(self, name: object) -> bool:
        return (self._path / str(name)).is_file()

    def size(self, name: str) -> int:
        """Bytes of a file."""
        return (self._path / name).stat().st_size

    def read(self, name: str) -> Iterator[bytes]:
        """The bytes of a file."""
        try:
            with (self._path / name).open("rb", buffering=0) as file:
                while chunk := file.read(CHUNK):
                    yield chunk
        except FileNotFoundError as exc:
            raise InvalidArchiveError(f"{self} lacks `{name}`") from exc
        except OSError as exc:
            raise InvalidArchiveError(f"cannot read `{self._path / name}`: {reason_of(exc)}") from exc
