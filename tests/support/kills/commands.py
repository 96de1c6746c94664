"""Runs of localreg that are recorded step by step, and killed at one of the steps; the product has no part in it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from support.engines.real import Bed

RECORDER = Path(__file__).parent / "recorder"

_OF_THIS_RUN = re.compile(r"\b[0-9a-f]{64}\b|(?<=uploads/)\S+|(?<=/tmp/)[a-z0-9_]{8}\b|(?<=-)[0-9a-f]{8}(?=\.sock)")
"""IDs, and names that are drawn by lot."""


@dataclass(frozen=True)
class Moment:
    """When a kill may come."""

    when: str
    """Whether the step was `begun`, `sent` or `done`."""
    step: str
    """Without what is another in each run."""

    def __str__(self) -> str:
        return f"{self.step}: {self.when}"


@dataclass(frozen=True)
class Command:
    """A run of localreg that can be recorded and killed."""

    bed: Bed
    arguments: Sequence[str]
    record_file: Path
    """Where the recorder writes; the bed's user may."""
    environment: Mapping[str, str]
    umask: int
    program: Sequence[str] = ("localreg",)

    def record(self) -> list[Moment]:
        """Run it to its end, and list all its moments."""
        result = self.run(record=True)
        assert result.returncode == 0, result.stderr
        return self.moments()

    def kill(self, number: int) -> Moment:
        """Run it up to one of its moments; returns the one that it was."""
        result = self.run(record=True, fatal=number)
        assert result.returncode == -signal.SIGKILL, f"it was not killed: {result.stdout}{result.stderr}"
        return self.moments()[-1]

    def run(self, *, record: bool = False, fatal: int | None = None) -> subprocess.CompletedProcess[str]:
        """Run it to its end, which may be a kill."""
        recorded = {
            # What the interpreter keeps for itself is no step of the program.
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": str(RECORDER),
            "STEPS_RECORD": str(self.record_file),
            "STEPS_FATAL": "" if fatal is None else str(fatal),
        }
        self.record_file.write_bytes(b"")
        self.record_file.chmod(0o666)
        return self.bed.run(
            *("sh", "-c", f'umask {self.umask:o}; exec "$@"', "sh"),
            *(*self.program, "--engine", self.bed.engine, *self.arguments),
            env={**self.environment, **(recorded if record else {})},
        )

    def moments(self) -> list[Moment]:
        """Those of the last run."""
        lines = map(json.loads, self.record_file.read_text().splitlines())
        return [Moment(when, _OF_THIS_RUN.sub("*", step)) for when, step in lines]

    def survivors(self) -> list[str]:
        """The processes of recorded runs that still live, but for a Podman service, which ends by itself."""
        found = []
        for process in psutil.process_iter():
            try:
                marked = process.environ().get("STEPS_RECORD") == str(self.record_file)
                line = " ".join(process.cmdline())
            except psutil.Error:
                continue
            if marked and line and "system service" not in line and "catatonit" not in line:
                found.append(line)
        return found
