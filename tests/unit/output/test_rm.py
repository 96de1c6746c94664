"""What `rm` removed, on a terminal and in a pipe."""

from __future__ import annotations

from localreg.content.rm import Removed
from localreg.output.rm import render

DIGITS = "4d3ff4889170" * 5 + "4d3f"


def test_digests_are_short_on_a_terminal_only() -> None:
    results = [
        Removed("app", f"localhost:5000/app@sha256:{DIGITS}", from_registry=True, from_engine=False),
        Removed("app", f"localhost:5000/app:sha256-{DIGITS}.sig", from_registry=True, from_engine=True),
    ]
    shown = render(results, [], engine="podman")
    assert shown.table(80).splitlines() == [
        "Removed localhost:5000/app@sha256:4d3ff4889170 from the registry",
        "Removed localhost:5000/app:sha256-4d3ff4889170….sig from the registry and Podman",
    ]
    assert shown.plain().count(DIGITS) == 3
