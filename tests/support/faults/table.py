"""Faults: a case that goes wrong, what localreg does about it, and the check that it does.

A test declares each fault that it shows with `@fault(...)` and takes it as `shown`, or several as `faults`. The check
looks at the exit code, the error's code and facts in the message, never at its wording. `fault_page.py` puts each fault
on docs/reference/faults.md.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psutil
from support.engines.real import Bed
from support.terminals.kept_screens import A_PORT, UNFOLDED, check, seen, steady
from support.terminals.terminal import Terminal

from localreg.errors import LocalregError

_Test = TypeVar("_Test", bound=Callable[..., None])

MARGIN = 40.0
"""What a busy machine, and an engine that tries again, may add to a time-out of the product's own, in seconds."""


@dataclass(frozen=True)
class Fault:
    """A case, and what localreg does about it."""

    case: str
    """Its short name: also the name of its kept screen and of its place on the page."""
    command: str
    """The command line after `localreg`, as a shell reads it."""
    code: str | None
    """The error's code; None if localreg reports no error."""
    exit_code: int
    facts: tuple[str, ...]
    """Names, ports, paths and commands that must be in the output. The test fills in the braces, as in the command."""
    seconds: float | None
    """localreg's own time-out, if one plays a part."""
    kept: str | None
    """The bed whose screens are kept: one bed shows what there is to see. None if most of the text is the engine's
    own, which its next release may change."""

    @property
    def screen(self) -> str | None:
        """The name of the file that keeps the screens; None if nothing fails, or no terminal shows it."""
        if self.kept is None or not self.exit_code or not self.facts or re.search("[<>]", self.command):
            return None
        return f"faults/{self.case}"

    def by(
        self,
        bed: Bed,
        *,
        env: Mapping[str, str | None] | None = None,
        cwd: Path = Path("/"),
        within: Callable[[], AbstractContextManager[Mapping[str, str]]] = lambda: contextlib.nullcontext({}),
        **values: object,
    ) -> str:
        """Show it on an engine; returns what localreg wrote to both streams.

        Args:
            bed: The engine, and who runs localreg.
            env: Added to the environment; None takes a variable away.
            cwd: Where it runs.
            within: Made anew for each time that it is shown; what it gives is added to the environment, too.
            values: What stands in braces.
        """

        def stage(more: Mapping[str, str]) -> Stage:
            return Stage(self, bed, {**(env or {}), **more}, cwd, values)

        with within() as more:
            text = Showing(stage(more)).end()
        if stage({}).is_kept:
            with within() as more:
                stage(more).end_screen(stage(more).open())
        return text

    def begin(
        self, bed: Bed, *, env: Mapping[str, str | None] | None = None, cwd: Path = Path("/"), **values: object
    ) -> Showing:
        """Begin to show it, where several are shown at the same time."""
        stage = Stage(self, bed, env or {}, cwd, values)
        return Showing(stage, stage.open() if stage.is_kept else None)


@dataclass(frozen=True)
class Stage:
    """Where a fault is shown."""

    fault: Fault
    bed: Bed
    env: Mapping[str, str | None]
    cwd: Path
    values: Mapping[str, object]

    def line(self, *options: str) -> str:
        """The command line, with more options for localreg."""
        named = " ".join(["localreg", "--engine", self.bed.engine, *options])
        return f"{named} {self.fault.command.format(**self.values)}"

    def check_facts(self, text: str) -> None:
        """Look for each fact in localreg's output."""
        seconds = f"{self.fault.seconds:g}" if self.fault.seconds else ""
        facts = [fact.format(seconds=seconds, **self.values) for fact in self.fault.facts]
        missing = [fact for fact in facts if fact not in text]
        assert not missing, f"{missing} not in {text!r}"

    @property
    def is_kept(self) -> bool:
        """What a person sees here is what the kept screens show."""
        return self.fault.screen is not None and self.bed.name == self.fault.kept

    def open(self) -> Terminal:
        """Run it in a terminal so wide that nothing is folded."""
        return UNFOLDED.open(self.bed, self.line(), env=self.env, cwd=self.cwd)

    def end_screen(self, terminal: Terminal) -> None:
        """Wait for the end in a terminal, and compare its screen with the kept one."""
        screen = seen(terminal, code=self.fault.exit_code)
        assert self.fault.screen is not None
        ports = [(rf"\b{value}\b", A_PORT) for value in self.values.values() if isinstance(value, int)]
        check(self.fault.screen, f"localreg {self.fault.command}", {UNFOLDED: steady(screen, self.bed, ports)})


class Showing:
    """A fault that is being shown: localreg runs, in a session of its own.

    It asks for an error as JSON, which has its code. A second run, in a terminal, gives the screen that is kept.
    """

    def __init__(self, stage: Stage, terminal: Terminal | None = None) -> None:
        self._stage = stage
        self._terminal = terminal
        self._began = time.monotonic()
        line = stage.line("--json") if stage.fault.code else stage.line()
        environment = {**stage.bed.environment, **stage.env}
        self.process = subprocess.Popen(
            stage.bed.command(["/bin/bash", "-c", f"exec {line}"]),
            env={name: value for name, value in environment.items() if value is not None},
            cwd=stage.cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def end(self) -> str:
        """Wait for its end and check it.

        Returns:
            All output; of an error its message, details and hint, each on a line of its own.
        """
        fault = self._stage.fault
        limit = (fault.seconds or 0) + MARGIN
        try:
            out, _ = self.process.communicate(timeout=max(limit - (time.monotonic() - self._began), 0))
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            out, _ = self.process.communicate()
            raise AssertionError(f"`{fault.command}` took longer than {limit:g} seconds: {out!r}") from None
        text = out.decode(errors="backslashreplace")
        assert self.process.returncode == fault.exit_code, f"exited with {self.process.returncode}\n{text}"
        assert "Traceback" not in text, text
        if fault.code:
            text = _error_in(text, fault)
        self._stage.check_facts(text)
        left = _of_session(self.process.pid)
        assert not left, f"left behind: {left}"
        if self._terminal:
            self._stage.end_screen(self._terminal)
        return text


def _error_in(text: str, fault: Fault) -> str:
    """Check the error that is a line of JSON; returns it for a person to read."""
    found = [json.loads(line)["error"] for line in text.splitlines() if line.startswith('{"error": ')]
    assert len(found) == 1, text
    error: dict[str, Any] = found[0]
    assert (error["code"], error["exit_code"]) == (fault.code, fault.exit_code)
    return "\n".join([error["message"], *error["details"], f"hint: {error['hint']}\n"])


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


def exit_codes() -> dict[str, int]:
    """The exit code of each error, by its code."""
    found = [LocalregError]
    for error in found:
        found += error.__subclasses__()
    return {error.code: error.exit_code for error in found}


def fault(
    case: str,
    command: str,
    *,
    code: str | None = None,
    exit_code: int = 0,
    facts: Sequence[str] = (),
    seconds: float | None = None,
    kept: str | None = "docker",
) -> Callable[[_Test], _Test]:
    """Declare a fault that a test shows.

    Args:
        case: A short name of its own, in lower case with hyphens.
        command: The command line after `localreg`.
        code: The code of the error that localreg reports, which also gives the exit code.
        exit_code: The exit code if localreg reports no error.
        facts: Parts of the output that stay when its wording changes; `{seconds}` is the time-out.
        seconds: localreg's own time-out, if one plays a part.
        kept: The bed whose screens are kept, if it is not Docker; None for no screens.
    """
    found = Fault(case, command, code, exit_codes()[code] if code else exit_code, tuple(facts), seconds, kept)

    def mark(test: _Test) -> _Test:
        # Python applies the lowest decorator first.
        test.__dict__["faults"] = (found, *faults_of(test))
        return test

    return mark


def faults_of(test: object) -> tuple[Fault, ...]:
    """The faults that a test declares, from top to bottom."""
    found: tuple[Fault, ...] = getattr(test, "faults", ())
    return found
