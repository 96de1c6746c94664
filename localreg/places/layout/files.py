"""The files of an archive or a layout, and those of a folder."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from localreg.errors import InvalidArchiveError, reason_of
from localreg.system.command_line import Sentence

INDEX = "index.json"
"""Lists what an OCI layout has."""
DOCKER_MANIFEST = "manifest.json"
"""Lists what a docker-archive has."""

COPY_AGAIN = Sentence("copy it again from where it was saved, or save it again")

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
    data = bytearray()
    for chunk in files.read(name):
        data += chunk
        # It may have more than its size tells, as files of the system have.
        size = max(len(data), files.size(name))
        if size > limit:
            raise InvalidArchiveError(f"`{name}` in {files} is too large: {size} bytes, more than {limit}")
    return bytes(data)


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
        # Unlike that of a `Path`, this finds no file behind a folder that may not be searched, without an error.
        return os.path.isfile(self._path / str(name))  # noqa: PTH113 -- see above

    def size(self, name: str) -> int:
        """Bytes of a file."""
        with self._reading(name):
            return (self._path / name).stat().st_size

    def read(self, name: str) -> Iterator[bytes]:
        """The bytes of a file; a link may lead to a device or a pipe, which would never end."""
        with self._reading(name):
            if not stat.S_ISREG((self._path / name).stat().st_mode):
                raise InvalidArchiveError(f"`{self._path / name}` is not a file")
            with (self._path / name).open("rb", buffering=0) as file:
                while chunk := file.read(CHUNK):
                    yield chunk

    @contextlib.contextmanager
    def _reading(self, name: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as exc:
            raise InvalidArchiveError(f"{self} lacks `{name}`") from exc
        except OSError as exc:
            raise InvalidArchiveError(f"cannot read `{self._path / name}`: {reason_of(exc)}") from exc
