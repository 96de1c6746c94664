"""Whether the clock of the engine's machine agrees with the one here."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from localreg.doctor.check import NotPossibleError
from localreg.doctor.finding import Finding, Severity
from localreg.doctor.scene import Scene
from localreg.oci.clock import read_clock
from localreg.system.command_line import Sentence

_MOST_SECONDS = 10
"""A virtual machine that slept may be hours behind."""


def check_clock(scene: Scene) -> Iterator[Finding]:
    """Compare the time that the registry tells with the one here."""
    before = datetime.now(UTC)
    there = read_clock(scene.client)
    after = datetime.now(UTC)
    if there is None:
        raise NotPossibleError("the registry does not tell its time")
    behind, ahead = (before - there).total_seconds(), (there - after).total_seconds()
    off = max(behind, ahead)
    if off > _MOST_SECONDS:
        side = "behind" if behind > ahead else "ahead of"
        yield Finding(
            f"the clock of the engine's machine is {off:.0f} seconds {side} the one here",
            "rules of `localreg prune`, `logs --since` and certificates go by the wrong time",
            (Sentence("set the clock of that machine; a virtual machine is right again after its restart"),),
            severity=Severity.WARNING,
        )
