"""What it costs to start: against loading the library that the command line is made with."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from bench.compare import Row, Target, compare
from bench.timed import run
from support.engines.real import BEDS

TRIVIAL = ("config",)
"""A command that asks no engine and no registry."""

_TARGETS = {("--version",): Target(1.5), ("--help",): Target(2), TRIVIAL: Target(2.5)}
_ROUNDS = 25
"""Each takes a moment only, so a few more cost nothing and even out what else the machine does."""


def measure() -> Iterator[Row]:
    """Each of the three."""
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
