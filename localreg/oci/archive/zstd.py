"""Zstandard, by the standard library's module or the one that brings it to older releases."""

from __future__ import annotations

import sys

if sys.version_info >= (3, 14):
    from compression.zstd import ZstdCompressor, ZstdError, ZstdFile
else:
    from backports.zstd import ZstdCompressor, ZstdError, ZstdFile

__all__ = ["ZstdCompressor", "ZstdError", "ZstdFile"]
