"""Compression with Zstandard, by the standard library's module or the one that brings it to older releases."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import IO, cast

from localreg.places.layout.archive import Output

if sys.version_info >= (3, 14):
    from compression.zstd import ZstdFile
else:
    from backports.zstd import ZstdFile

_LEVEL = 1
"""Layers are compressed already: a higher one costs time and gains nothing."""


@contextlib.contextmanager
def compressed(output: Output) -> Iterator[Output]:
    """Compress what is written."""
    with ZstdFile(cast("IO[bytes]", output), "wb", level=_LEVEL) as file:
        yield file
