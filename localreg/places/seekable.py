"""Archives as files that can be read at any place: one file, a split one, or what a pipe or a compressor held."""

from __future__ import annotations

import io
import os
from bisect import bisect_right
from collections.abc import Sequence


class Parts(io.RawIOBase):
    """Several files that are one, safe to read from several threads with `read_at`.

    Args:
        descriptors: Of the open files; closed together with it.
    """

    def __init__(self, descriptors: Sequence[int]) -> None:
        self._descriptors = descriptors
        self._starts = [0]
        for descriptor in descriptors:
            self._starts.append(self._starts[-1] + os.fstat(descriptor).st_size)
        self._at = 0

    @property
    def size(self) -> int:
        """Bytes."""
        return self._starts[-1]

    def read_at(self, start: int, count: int) -> bytes:
        """Some bytes; fewer at the end of a part, none at the end."""
        if start >= self.size:
            return b""
        number = bisect_right(self._starts, start) - 1
        return os.pread(self._descriptors[number], count, start - self._starts[number])

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Go to a place."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence]
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        """The place."""
        return self._at

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]  # typeshed wants any buffer
        """Read some bytes."""
        data = self.read_at(self._at, len(buffer))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        """Close the files."""
        if not self.closed:
            for descriptor in self._descriptors:
                os.close(descriptor)
        super().close()
