"""Blobs that are checked against their digest and size: the only way in which their bytes get from place to place."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from localreg.errors import RegistryError
from localreg.places.port import Blob, Source


def read_verified(source: Source, blob: Blob) -> Iterator[bytes]:
    """The bytes of a blob; the last ones only come once all are known to be right.

    Raises:
        RegistryError: they are not what the digest and the size say.
        LocalregError: they cannot be read.
    """
    algorithm, _, encoded = blob.digest.partition(":")
    digest, size = hashlib.new(algorithm), 0
    last: bytes | None = None
    for chunk in source.read_blob(blob):
        if last is not None:
            yield last
        size += len(chunk)
        if size > blob.size:
            raise RegistryError(f"blob {blob.digest} is larger than the {blob.size} bytes that its manifest tells")
        digest.update(chunk)
        last = chunk
    if size != blob.size:
        raise RegistryError(f"blob {blob.digest} has {size} bytes instead of {blob.size}")
    if digest.hexdigest() != encoded:
        raise RegistryError(f"blob {blob.digest} has other content than its digest tells")
    if last is not None:
        yield last


def read_whole(source: Source, blob: Blob) -> bytes:
    """A small blob.

    Raises:
        LocalregError: it cannot be read, or has other content.
    """
    return b"".join(read_verified(source, blob))
