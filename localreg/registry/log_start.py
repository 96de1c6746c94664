"""Where the log of a container's last run begins."""

from __future__ import annotations

from datetime import datetime, timedelta

from localreg.engines.values import Container

_START_TAKES = timedelta(seconds=30)
"""A container can write output for this long before its engine counts it as started. Podman does not know when a
container ended if the machine went down with it."""


def log_began_at(container: Container) -> datetime | None:
    """Aware; the time at which the log of this run begins; None if it never ran.

    Engines date the last lines of a run a little after its end, and the first ones a little before its start.
    """
    started, ended = container.started_at, container.finished_at
    if started is None or (ended is not None and ended > started):
        # The end of the run before this one is no longer known.
        return started
    earliest = started - _START_TAKES
    return earliest if ended is None else max(ended + (started - ended) / 2, earliest)
