"""Digests of content: `sha256:` or `sha512:` and hex digits."""

from __future__ import annotations

import hashlib

_ALGORITHMS = frozenset({"sha256", "sha512"})


def digest_of(data: bytes) -> str:
    """The sha256 digest of some bytes."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def is_whole(digest: str, data: bytes) -> bool:
    """The bytes have this digest."""
    algorithm, _, encoded = digest.partition(":")
    return algorithm in _ALGORITHMS and hashlib.new(algorithm, data).hexdigest() == encoded
