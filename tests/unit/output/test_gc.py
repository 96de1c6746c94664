"""A collection on a terminal."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from localreg.content.collected import Collected, Waste
from localreg.content.uploads import Abandoned, Upload
from localreg.output.gc import render

MANIFEST = frozenset({("app", f"sha256:{'a' * 64}")})
COMMANDS = {"next_one": "localreg gc", "undo": "localreg gc --undo"}
UPLOAD = Upload("app", "uploads/1", 7, 0, has_start=False)


def test_a_collection_that_has_not_ended_keeps_its_quarantine() -> None:
    busy = Collected(Waste(), waiting=5, deletable_at=datetime.now(UTC), is_busy=True)
    lines = render(busy, dry_run=False, **COMMANDS).table(80).splitlines()
    assert lines[1] == "  quarantine  5 B, for a minute: another gc is at work or was interrupted"
    assert "  delete now  localreg gc --grace 0" in lines


def test_a_dry_run_tells_what_would_be_deleted() -> None:
    found = Collected(Waste(blobs={"sha256:b": 5}), freed=12, waiting=7)
    assert render(found, dry_run=True, **COMMANDS).table(80).splitlines() == [
        "Would collect 1 blob (5 B); would free 12 B",
        "  quarantine  7 B",
    ]


def test_what_is_left_alone_is_counted() -> None:
    found = Collected(Waste(left=2), Abandoned((UPLOAD,), (UPLOAD, UPLOAD)), freed=7)
    shown = render(found, dry_run=False, **COMMANDS)
    assert shown.table(80).splitlines()[1:] == [
        "  uploads     1 abandoned (7 B)",
        "  left alone  2 blobs that a push of the last 10 minutes may need; 2 abandoned",
        "              uploads that changed recently",
    ]
    assert [len(shown.json()[key]) for key in ("uploads", "recent_uploads")] == [1, 2]


@pytest.mark.parametrize(
    ("found", "line"),
    [
        (Collected(Waste()), "Nothing to collect"),
        (Collected(Waste(), freed=1000), "Nothing to collect; freed 1.00 kB"),
        (Collected(Waste(MANIFEST, frozenset({"app"}), {"sha256:b": 5})), "Collected 1 blob (5 B)"),
        (Collected(Waste(MANIFEST, frozenset({"app"}))), "Collected 1 manifest without a tag"),
        (Collected(Waste(repositories=frozenset({"app", "team/app"}))), "Collected 2 empty repositories"),
        (Collected(Waste(), Abandoned((UPLOAD,)), freed=7), "Collected 1 upload; freed 7 B"),
    ],
)
def test_the_first_line_counts_what_was_collected(found: Collected, line: str) -> None:
    assert render(found, dry_run=False, **COMMANDS).table(80).splitlines()[0] == line
    dry = render(found, dry_run=True, **COMMANDS).table(80)
    assert dry.startswith(("Would collect", "Nothing to collect"))
