"""`doctor` with everything in order, compared with `status`: it may take as long as the slowest client on top."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from bench.compare import Row, Target, compare
from bench.timed import localreg, run
from support.engines.real import REGISTRY_IMAGE, Bed

_IMAGE = "localhost:5000/team/app:1"
_ROUNDS = 11


def measure(bed: Bed) -> Iterator[Row]:
    """Measure `doctor` on one engine, with a registry that has an image."""
    bed.up()
    bed.api.name_image(REGISTRY_IMAGE, _IMAGE)
    bed.push(_IMAGE)
    bed.ok("podman-fix")
    slowest = statistics.median(run(bed, "podman", "info").seconds for _ in range(_ROUNDS))
    yield compare(
        f"{bed.name}: `doctor`",
        lambda: localreg(bed, "doctor").seconds,
        "localreg status",
        lambda: localreg(bed, "status").seconds,
        Target(1.5, plus=round(slowest, 3)),
        rounds=_ROUNDS,
    )
    bed.ok("podman-fix", "--remove")
    bed.ok("down", "--volumes")
