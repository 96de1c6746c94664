"""The files of a layout, in a folder or in a tar file."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from localreg.errors import InvalidArchiveError, reason_of
from localreg.places.seekable import Parts

_CHUNK = 1 << 20
_LARGEST = 64 << 20
"""Bytes of an index or a manifest."""


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


def read_small(files: Files, name: str) -> bytes:
    """An index or a manifest.

    Raises:
        InvalidArchiveError: it is missing, too large, cut or cannot be read.
    """
    if name in files and files.size(name) > _LARGEST:
        raise InvalidArchiveError(f"`{name}` in {files} is too large: {files.size(name)} bytes")
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
                while chunk := file.read(_CHUNK):
                    yield chunk
        except FileNotFoundError as exc:
            raise InvalidArchiveError(f"{self} lacks `{name}`") from exc
        except OSError as exc:
            raise InvalidArchiveError(f"cannot read `{self._path / name}`: {reason_of(exc)}") from exc


class Tar:
    """Files in a tar file.

    Args:
        parts: The file, not compressed.
        shown: How messages name it.

    Raises:
        InvalidArchiveError: it is not a tar file, is cut within a header, or cannot be read.
    """

    def __init__(self, parts: Parts, shown: str) -> None:
        self._parts = parts
        self._shown = shown
        self._places: dict[str, tuple[int, int]] = {}
        links: dict[str, str] = {}
        try:
            with tarfile.open(fileobj=parts, mode="r:") as tar:
                for member in tar:
                    name = os.path.normpath(member.name)
                    if member.isreg():
                        self._places[name] = member.offset_data, member.size
                    elif member.islnk():
                        links[name] = os.path.normpath(member.linkname)
                    elif member.issym():
                        links[name] = os.path.normpath(f"{name}/../{member.linkname}")
                    # Or it keeps all members in memory.
                    tar.members.clear()  # type: ignore[attr-defined]  # typeshed lacks it
        except tarfile.TarError as exc:
            raise InvalidArchiveError(f"{self} is not an image archive, or is damaged: {exc}") from exc
        except OSError as exc:
            raise InvalidArchiveError(f"cannot read {self}: {reason_of(exc)}") from exc
        self._places |= {name: self._places[target] for name, target in links.items() if target in self._places}

    def __str__(self) -> str:
        return f"`{self._shown}`"

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def size(self, name: str) -> int:
        """Bytes of a file."""
        return self._places[name][1]

    def read(self, name: str) -> Iterator[bytes]:
        """The bytes of a file."""
        if name not in self._places:
            raise InvalidArchiveError(f"{self} lacks `{name}`")
        start, size = self._places[name]
        end = start + size
        while start < end:
            try:
                chunk = self._parts.read_at(start, min(_CHUNK, end - start))
            except OSError as exc:
                raise InvalidArchiveError(f"cannot read {self}: {reason_of(exc)}") from exc
            if not chunk:
                raise InvalidArchiveError(f"{self} ends early: it lacks {end - start} bytes of `{name}`")
            yield chunk
            start += len(chunk)
