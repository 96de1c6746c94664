"""A layer of a docker-archive, as a registry stores it."""

from __future__ import annotations

import hashlib
import io
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from threading import Event

from localreg.errors import InvalidArchiveError
from localreg.oci.archive.files import GZIP, LONGEST_MAGIC, ZSTD, damages, find_opener
from localreg.places.layout.files import CHUNK, Files
from localreg.places.spool import Piece, Spool

_LEVEL = 4
"""Half the time of zlib's usual 6, for 3 % more bytes; these are still fewer than skopeo makes."""
_GZIP_FORMAT = 16 + zlib.MAX_WBITS
"""With a header that has no time: the same layer gets the same digest."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A compressed layer."""

    name: str
    """Its file in the archive."""
    digest: str
    size: int
    """Bytes."""
    is_zstd: bool
    """It is compressed with Zstandard, not with gzip."""
    pieces: Sequence[Piece] | None
    """Where the temporary file has it; None if the archive has it as it is."""


def pack(archive: Files, spool: Spool, content: str, name: str, stop: Event) -> Layer:
    """Compress a layer of an archive with gzip, unless it is compressed already.

    Args:
        archive: The archive.
        spool: Gets the compressed layer.
        content: The digest of the uncompressed layer, as the config has it.
        name: The layer's file in the archive.
        stop: Set when the result is not wanted, because of another layer.

    Raises:
        InvalidArchiveError: the layer is cut or damaged, or is not what the config tells.
        LocalregError: the temporary file cannot be written.
        CancelledError: the result is not wanted.
    """
    stored = _Hashing(archive.read(name))
    buffered = io.BufferedReader(stored, CHUNK)
    start = buffered.peek(LONGEST_MAGIC)
    opener = find_opener(start[:LONGEST_MAGIC])
    is_kept = start.startswith((GZIP, ZSTD))
    packer = None if is_kept else _Packer(spool)
    actual = hashlib.sha256()
    try:
        plain = buffered if opener is None else opener(buffered, "rb")
        while chunk := plain.read(CHUNK):
            if stop.is_set():
                raise CancelledError
            actual.update(chunk)
            if packer is not None:
                packer.add(chunk)
        while buffered.read(CHUNK):
            pass
    except damages(OSError) as exc:
        raise InvalidArchiveError(f"layer `{name}` in {archive} is damaged", details=[str(exc)]) from exc
    if f"sha256:{actual.hexdigest()}" != content:
        raise InvalidArchiveError(f"layer `{name}` in {archive} has other content than its config tells")
    if packer is None:
        return Layer(name, f"sha256:{stored.digest.hexdigest()}", stored.size, start.startswith(ZSTD), None)
    return packer.finish(name)


class _Packer:
    """A layer that is being compressed."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP_FORMAT)
        self._held = bytearray()
        self._pieces: list[Piece] = []
        self._digest = hashlib.sha256()

    def add(self, data: bytes) -> None:
        self._held += self._packer.compress(data)
        if len(self._held) >= CHUNK:
            self._write()

    def finish(self, name: str) -> Layer:
        self._held += self._packer.flush()
        self._write()
        size = sum(count for _, count in self._pieces)
        return Layer(name, f"sha256:{self._digest.hexdigest()}", size, is_zstd=False, pieces=self._pieces)

    def _write(self) -> None:
        self._digest.update(self._held)
        self._pieces.append(self._spool.add(bytes(self._held)))
        self._held.clear()


class _Hashing(io.RawIOBase):
    """Chunks as a file, which is hashed as it is read."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._left = b""
        self.digest = hashlib.sha256()
        self.size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]  # typeshed wants any buffer
        data = self._left or next(self._chunks, b"")
        taken = data[: len(buffer)]
        self._left = data[len(taken) :]
        buffer[: len(taken)] = taken
        self.digest.update(taken)
        self.size += len(taken)
        return len(taken)
