"""Digests as people type them."""

from __future__ import annotations

import pytest

from localreg.content.short_digest import is_cut, read_reference, shown
from localreg.errors import InvalidReferenceError

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "digest", "tag"),
    [
        (f"a/b@{DIGEST}", DIGEST, None),
        (f"a/b@{DIGEST[7:]}", DIGEST, None),
        ("localhost:5000/a/b@sha256:012345", "sha256:012345", None),
        ("a/b:1@0123456789ab", "sha256:0123456789ab", "1"),
    ],
)
def test_a_digest_may_be_cut(text: str, digest: str, tag: str | None) -> None:
    named = read_reference(text)
    assert (named.repository, named.tag, named.digest) == ("a/b", tag, digest)
    assert is_cut(digest) is (digest != DIGEST)
    assert shown(named) == f"a/b{':1' if tag else ''}@{digest[:19]}"


def test_a_reference_needs_no_digest() -> None:
    named = read_reference("localhost:5000/a/b:1")
    assert (named.digest, shown(named)) == (None, "a/b:1")


@pytest.mark.parametrize(
    "text", ["app@sha256:01234", "app@0", f"app@{DIGEST}0", "app@sha256:0123AB", "app@", "@012345"]
)
def test_what_is_not_a_digest_is_refused(text: str) -> None:
    with pytest.raises(InvalidReferenceError):
        read_reference(text)
