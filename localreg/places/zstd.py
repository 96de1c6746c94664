"""Compression with Zstandard."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from localreg.oci.archive.zstd import ZstdCompressor
from localreg.places.layout.archive import Output

_LEVEL = 1
"""Layers are compressed already: a higher one costs time and gains nothing."""


class _Compressed:
    """Compresses what is written."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._compressor = ZstdCompressor(level=_LEVEL)

    def write(self, data: bytes, /) -> None:
        """Write these bytes, or keep them back for a while."""
        self._output.write(self._compressor.compress(data))

    def end(self) -> None:
        """Write what was kept back."""
        self._output.write(self._compressor.flush())


@contextlib.contextmanager
def compressed(output: Output) -> Iterator[Output]:
    """Compress what is written; after an error the archive stays cut."""
    target = _Compressed(output)
    yield target
    target.end()
