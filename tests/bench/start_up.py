"""The cost of starting localreg, compared with importing the library its command line is built on."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from bench.compare import Row, Target, compare
from bench.timed import run
from support.engines.real import BEDS

TRIVIAL = ("config",)
"""Commands that ask no engine and no registry."""

_TARGETS = {("--version",): Target(1.5), ("--help",): Target(2), TRIVIAL: Target(2.5)}
_ROUNDS = 25
"""Each run is short, so more of them are cheap and even out other work on the machine."""


def measure() -> Iterator[Row]:
    """Measure each of the three."""
    bed = BEDS["docker"]
    for arguments, target in _TARGETS.items():
        yield compare(
            f"`localreg {' '.join(arguments)}`",
            lambda arguments=arguments: run(bed, "localreg", *arguments).seconds,  # type: ignore[misc]
            'python -c "import typer"',
            lambda: run(bed, sys.executable, "-c", "import typer").seconds,
            target,
            rounds=_ROUNDS,
        )
