"""The first line of a collection: it counts whatever was collected."""

from __future__ import annotations

import pytest

from localreg.content.collected import Collected, Waste
from localreg.content.uploads import Upload
from localreg.output.gc import render

MANIFEST = frozenset({("app", f"sha256:{'a' * 64}")})
UPLOAD = Upload("app", "uploads/1", 7, 0, has_start=False)


@pytest.mark.parametrize(
    ("found", "line"),
    [
        (Collected(Waste()), "Nothing to collect"),
        (Collected(Waste(), freed=1000), "Nothing to collect; freed 1.00 kB"),
        (Collected(Waste(MANIFEST, frozenset({"app"}), {"sha256:b": 5})), "Collected 1 blob (5 B)"),
        (Collected(Waste(MANIFEST, frozenset({"app"}))), "Collected 1 manifest without a tag"),
        (Collected(Waste(repositories=frozenset({"app", "team/app"}))), "Collected 2 empty repositories"),
        (Collected(Waste(), (UPLOAD,), freed=7), "Collected 1 upload; freed 7 B"),
    ],
)
def test_the_first_line_counts_what_was_collected(found: Collected, line: str) -> None:
    assert render(found, dry_run=False, command="localreg").table(80).splitlines()[0] == line
    assert render(found, dry_run=True, command="localreg").table(80).startswith(("Would collect", "Nothing to collect"))
