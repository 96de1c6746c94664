"""Moved images on terminals of different widths."""

from __future__ import annotations

from localreg.images.transfer import Transferred
from localreg.output.push import render

DIGEST = f"sha256:{'0123456789abcdef' * 4}"
MOVED = Transferred("app:1", "localhost:5000/team/app:1", DIGEST)


def test_a_digest_that_would_be_folded_is_short() -> None:
    shown = render([MOVED], ())
    assert shown.table(200) == shown.plain() == f"localhost:5000/team/app:1@{DIGEST}"
    assert shown.table(80) == "localhost:5000/team/app:1 (0123456789ab)"
    assert shown.table(30) == "localhost:5000/team/app:1\n  (0123456789ab)"


def test_what_has_no_digest_of_its_own_is_shown_whole() -> None:
    pinned = f"localhost:5000/app@{DIGEST}"
    assert render([Transferred("app", pinned, DIGEST)], ()).table(80) == pinned
    assert render([Transferred("app", "localhost:5000/app:1", None)], ()).table(10) == "localhost:5000/app:1"
