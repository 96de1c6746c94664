"""Blobs that are checked against their digest and size: the only way in which their bytes get from place to place."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from localreg.places.port import Blob, Source


def check_size(source: Source, blob: Blob) -> None:
    """Check that a place has all bytes of a blob; reads none of them.

    Raises:
        LocalregError: it is missing, or has another size.
    """
    size = source.find_size(blob)
    if size is None:
        raise source.damage(f"blob {blob.digest} is missing")
    if size != blob.size:
        raise source.damage(f"blob {blob.digest} has {size} bytes instead of {blob.size}")


def read_verified(source: Source, blob: Blob) -> Iterator[bytes]:
    """The bytes of a blob; the last ones only come once all are known to be right.

    Raises:
        LocalregError: they cannot be read, or are not what the digest and the size say.
    """
    algorithm, _, encoded = blob.digest.partition(":")
    digest, size = hashlib.new(algorithm), 0
    last: bytes | None = None
    for chunk in source.read_blob(blob):
        if last is not None:
            yield last
        size += len(chunk)
        if size > blob.size:
            raise source.damage(f"blob {blob.digest} has more than {blob.size} bytes", blob.digest)
        digest.update(chunk)
        last = chunk
    if size != blob.size:
        raise source.damage(f"blob {blob.digest} has {size} bytes instead of {blob.size}", blob.digest)
    if digest.hexdigest() != encoded:
        raise source.damage(f"blob {blob.digest} has other content than its digest tells", blob.digest)
    if last is not None:
        yield last


def read_whole(source: Source, blob: Blob) -> bytes:
    """A small blob.

    Raises:
        LocalregError: it cannot be read, or has other content.
    """
    return b"".join(read_verified(source, blob))
