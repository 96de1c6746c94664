"""The files of a tar file, which is not unpacked."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator
from typing import IO, cast

from localreg.errors import InvalidArchiveError, reason_of
from localreg.places.layout.files import CHUNK, COPY_AGAIN, DOCKER_MANIFEST, INDEX
from localreg.places.seekable import Parts

_MOST_MEMBERS = 500_000
_LARGEST_HEADER = 1 << 20
"""Bytes of a long name or of a PAX header, which `tarfile` holds in memory."""
_LONGEST_CHAIN = 10
"""Links that lead to each other."""
_LISTS = frozenset({INDEX, DOCKER_MANIFEST})


class Tar:
    """Files in a tar file.

    Args:
        parts: The file, not compressed.
        shown: How messages name it.

    Raises:
        InvalidArchiveError: it is not a tar file, is cut or damaged, or cannot be read.
    """

    def __init__(self, parts: Parts, shown: str) -> None:
        self._parts = parts
        self._shown = shown
        self._places: dict[str, tuple[int, int]] = {}
        self._links: dict[str, str] = {}
        try:
            with tarfile.open(fileobj=cast("IO[bytes]", _Headers(parts)), mode="r:") as tar:
                for member in tar:
                    self._add(member)
                    # Or it keeps all members in memory.
                    tar.members.clear()  # type: ignore[attr-defined]  # typeshed lacks it
                end = tar.offset
        except tarfile.TarError as exc:
            raise InvalidArchiveError(f"{self} is not an image archive, or is damaged: {exc}") from exc
        except OSError as exc:
            raise self._unreadable(exc) from exc
        self._is_cut = self._check_end(end)

    def __str__(self) -> str:
        return f"`{self._shown}`"

    def __contains__(self, name: object) -> bool:
        return self._find(str(name)) is not None

    def size(self, name: str) -> int:
        """Bytes of a file."""
        return self._place(name)[1]

    def read(self, name: str) -> Iterator[bytes]:
        """The bytes of a file."""
        start, size = self._place(name)
        end = start + size
        while start < end:
            try:
                chunk = self._parts.read_at(start, min(CHUNK, end - start))
            except OSError as exc:
                raise self._unreadable(exc) from exc
            if not chunk:
                raise self._ends_early(f"{end - start} bytes of `{name}`")
            yield chunk
            start += len(chunk)

    def _add(self, member: tarfile.TarInfo) -> None:
        name = os.path.normpath(member.name)
        if member.size < 0:
            raise tarfile.ReadError(f"the size of `{name}` is negative")
        if member.issparse():
            raise InvalidArchiveError(f"{self} has a sparse file, `{name}`; write it without `tar --sparse`")
        if len(self._places) + len(self._links) == _MOST_MEMBERS:
            raise InvalidArchiveError(f"{self} has more than {_MOST_MEMBERS} files")
        if name in _LISTS and name in self:
            raise InvalidArchiveError(f"{self} has two files `{name}`")
        # Of two files with one name, the last counts, as when it is unpacked.
        self._places.pop(name, None)
        self._links.pop(name, None)
        if member.islnk():
            self._links[name] = os.path.normpath(member.linkname)
        elif member.issym():
            self._links[name] = os.path.normpath(f"{name}/../{member.linkname}")
        elif member.isreg():
            missing = member.offset_data + member.size - self._parts.size
            if missing > 0:
                raise self._ends_early(f"{missing} bytes of `{name}`")
            self._places[name] = member.offset_data, member.size

    def _check_end(self, end: int) -> bool:
        """Check what follows the last file; returns whether the usual end is missing.

        `tarfile` takes anything that is not a header for the end.
        """
        block = self._parts.read_at(end, tarfile.BLOCKSIZE)
        is_cut = len(block) < tarfile.BLOCKSIZE
        if is_cut and block:
            raise self._ends_early(f"all after its first {end + len(block)} bytes")
        if any(block):
            raise InvalidArchiveError(f"{self} is damaged: no file begins at byte {end}")
        return is_cut

    def _find(self, name: str) -> tuple[int, int] | None:
        for _ in range(_LONGEST_CHAIN):
            if name not in self._links:
                return self._places.get(name)
            name = self._links[name]
        return None

    def _place(self, name: str) -> tuple[int, int]:
        found = self._find(name)
        if found is not None:
            return found
        if self._is_cut:
            raise self._ends_early(f"`{name}`")
        raise InvalidArchiveError(f"{self} lacks `{name}`")

    def _ends_early(self, missing: str) -> InvalidArchiveError:
        return InvalidArchiveError(f"{self} ends early: it lacks {missing}", hint=COPY_AGAIN)

    def _unreadable(self, error: OSError) -> InvalidArchiveError:
        return InvalidArchiveError(f"cannot read {self}: {reason_of(error)}")


class _Headers:
    """The file as `tarfile` reads it, which it does only for headers."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.seek = parts.seek
        self.tell = parts.tell

    def read(self, count: int) -> bytes:
        """So many bytes, fewer at the end."""
        if not 0 <= count <= _LARGEST_HEADER:
            raise tarfile.ReadError("a header of it is too large")
        found = b""
        # A split file ends in the middle.
        while (left := count - len(found)) and (chunk := self._parts.read_at(self._parts.tell(), left)):
            found += chunk
            self._parts.seek(self._parts.tell() + len(chunk))
        return found
