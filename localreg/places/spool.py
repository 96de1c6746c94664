"""One temporary file for many blobs that are written at once."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from threading import Lock
from typing import IO

from localreg.errors import InvalidArchiveError, reason_of
from localreg.oci.archive.files import writing

Piece = tuple[int, int]
"""A place in the file, and bytes."""


class Spool:
    """Pieces of blobs in a temporary file; safe to use from several threads.

    Args:
        file: The file, empty.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._descriptor = file.fileno()
        self._end = 0
        self._lock = Lock()

    def add(self, data: bytes) -> Piece:
        """Write a piece.

        Raises:
            LocalregError: it cannot be written.
        """
        with self._lock:
            start = self._end
            self._end += len(data)
        left, place = memoryview(data), start
        with writing():
            while left:
                written = os.pwrite(self._descriptor, left, place)
                left, place = left[written:], place + written
        return start, len(data)

    def read(self, pieces: Sequence[Piece]) -> Iterator[bytes]:
        """The bytes of pieces."""
        try:
            for start, size in pieces:
                yield os.pread(self._descriptor, size, start)
        except OSError as exc:
            raise InvalidArchiveError(f"cannot read a temporary file: {reason_of(exc)}") from exc
