"""Faults: a case that goes wrong, what localreg does then, and the check that it does.

A test that shows one says so with `@fault(...)`, and asks for it as `shown`, or for several as `faults`. What is
checked and what docs/reference/faults.md says are the same words.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import psutil
from beds import Bed

_Test = TypeVar("_Test", bound=Callable[..., None])

MARGIN = 20.0
"""What a busy machine may add to a time-out of the product's own, in seconds."""


@dataclass(frozen=True)
class Fault:
    """A case, and what localreg does."""

    case: str
    command: str
    """What is typed after `localreg`, as a shell reads it."""
    code: int
    says: str
    """A part of what it says; as in the command, the test fills in what stands in braces."""
    seconds: float | None
    """The product's own time-out, where one plays a part."""

    def by(
        self, bed: Bed, *, env: Mapping[str, str | None] | None = None, cwd: Path | None = None, **values: object
    ) -> str:
        """Show it on an engine; returns what localreg wrote to both streams.

        Args:
            bed: The engine, and who runs localreg.
            env: Added to the environment; None takes a variable away.
            cwd: Where it runs.
            values: What stands in braces.
        """
        return self.begin(bed, env=env, cwd=cwd, **values).end()

    def begin(
        self, bed: Bed, *, env: Mapping[str, str | None] | None = None, cwd: Path | None = None, **values: object
    ) -> Showing:
        """Begin to show it, where several are shown at the same time."""
        return Showing(self, bed, {**bed.environment, **(env or {})}, cwd or Path("/"), values)


class Showing:
    """A fault that is being shown: localreg runs, in a session of its own."""

    def __init__(
        self, fault: Fault, bed: Bed, env: Mapping[str, str | None], cwd: Path, values: Mapping[str, object]
    ) -> None:
        self._fault = fault
        self._says = fault.says.format(**values)
        self._began = time.monotonic()
        script = f"exec localreg --engine {bed.engine} {fault.command.format(**values)}"
        self.process = subprocess.Popen(
            bed.command(["/bin/bash", "-c", script]),
            env={name: value for name, value in env.items() if value is not None},
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def end(self) -> str:
        """Wait for its end and check it."""
        limit = (self._fault.seconds or 0) + MARGIN
        try:
            out, _ = self.process.communicate(timeout=max(limit - (time.monotonic() - self._began), 0))
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            out, _ = self.process.communicate()
            raise AssertionError(f"`{self._fault.command}` took longer than {limit:g} seconds: {out!r}") from None
        text = out.decode(errors="backslashreplace")
        assert self.process.returncode == self._fault.code, f"exited with {self.process.returncode}\n{text}"
        assert self._says in text, f"{self._says!r} is not in {text!r}"
        assert "Traceback" not in text, text
        left = _of_session(self.process.pid)
        assert not left, f"left behind: {left}"
        return text


def _of_session(session: int) -> list[str]:
    """What still runs in a session; a Podman service, which is to outlive localreg, has one of its own."""
    left = []
    for process in psutil.process_iter(["name"]):
        try:
            if os.getsid(process.pid) == session:
                left.append(f"{process.pid} {process.info['name']}")
        except ProcessLookupError:
            continue
    return left


def fault(
    case: str, command: str, *, code: int, says: str = "", seconds: float | None = None
) -> Callable[[_Test], _Test]:
    """Say what a test shows; of several each gets a row.

    Args:
        case: What goes wrong.
        command: What is typed after `localreg`.
        code: The exit code.
        says: A part of what localreg says.
        seconds: The product's own time-out, where one plays a part.
    """

    def mark(test: _Test) -> _Test:
        # Python begins with the lowest.
        test.__dict__["faults"] = (Fault(case, command, code, says, seconds), *faults_of(test))
        return test

    return mark


def faults_of(test: object) -> tuple[Fault, ...]:
    """What a test says that it shows."""
    found: tuple[Fault, ...] = getattr(test, "faults", ())
    return found
