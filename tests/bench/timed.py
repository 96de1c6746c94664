"""A program from its start to its end: the time on the clock, and the most memory that it had."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass

from support.engines.real import Bed


@dataclass(frozen=True, slots=True)
class Run:
    """What a program took."""

    seconds: float
    peak_bytes: int


def run(bed: Bed, *arguments: str, env: Mapping[str, str] | None = None) -> Run:
    """Run a program as the bed's user; it has to succeed."""
    with tempfile.TemporaryFile() as said:
        began = time.perf_counter()
        process = subprocess.Popen(
            bed.command(arguments),
            env={**bed.environment, **(env or {})},
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            said.seek(0)
            raise SystemExit(f"{arguments} exited with {process.returncode}\n{said.read().decode(errors='replace')}")
    return Run(seconds, usage.ru_maxrss * 1024)


def localreg(bed: Bed, *arguments: str, env: Mapping[str, str] | None = None) -> Run:
    """Run localreg on this engine."""
    return run(bed, "localreg", "--engine", bed.engine, *arguments, env=env)
