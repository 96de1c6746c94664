"""Faults: a case that goes wrong, what localreg does then, and the check that it does.

A test that shows one says so with `@fault(...)`, and asks for it as `shown`, or for several as `faults`. What is
checked and what docs/reference/faults.md says are the same words.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import psutil
from beds import Bed
from screens import A_PORT, VIEWS, View, check, seen, steady
from terminal import Screen, Terminal

_Test = TypeVar("_Test", bound=Callable[..., None])

MARGIN = 40.0
"""What a busy machine, and an engine that tries again, may add to a time-out of the product's own, in seconds."""


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
    kept: str | None
    """The bed whose screens are kept: those of one show what there is to see. None where most of it is said by the
    engine, in words that its next release may change."""
    test: str
    """The name of the test that shows it."""

    @property
    def screen(self) -> str | None:
        """The name of the file that keeps what a person sees; None where it is no error, or not seen on a terminal."""
        if self.kept is None or not self.code or not self.says or re.search("[<>]", self.command):
            return None
        words = re.findall("[a-z0-9]+", self.case.lower())
        return f"faults/{self.test.removeprefix('test_')}.{'-'.join(words)}"

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
        stage = Stage(self, bed, env or {}, cwd, values)
        with within() as more:
            text = Showing(stage.with_env(more)).end()
        if stage.is_kept:
            screens = {}
            for view in VIEWS:
                with within() as more:
                    screens[view] = seen(stage.with_env(more).open(view), code=self.code)
            stage.check_screens(screens)
        return text

    def begin(
        self, bed: Bed, *, env: Mapping[str, str | None] | None = None, cwd: Path = Path("/"), **values: object
    ) -> Showing:
        """Begin to show it, where several are shown at the same time."""
        stage = Stage(self, bed, env or {}, cwd, values)
        return Showing(stage, {view: stage.open(view) for view in VIEWS} if stage.is_kept else {})


@dataclass(frozen=True)
class Stage:
    """Where a fault is shown."""

    fault: Fault
    bed: Bed
    env: Mapping[str, str | None]
    cwd: Path
    values: Mapping[str, object]

    @property
    def line(self) -> str:
        """What a shell is given."""
        return f"localreg --engine {self.bed.engine} {self.fault.command.format(**self.values)}"

    @property
    def says(self) -> str:
        """What has to be a part of what localreg writes."""
        return self.fault.says.format(**self.values)

    @property
    def is_kept(self) -> bool:
        """What a person sees here is what the kept screens show."""
        return self.fault.screen is not None and self.bed.name == self.fault.kept

    def with_env(self, env: Mapping[str, str]) -> Stage:
        """The same with these variables, too."""
        return replace(self, env={**self.env, **env})

    def open(self, view: View) -> Terminal:
        """Run it in a terminal."""
        return view.open(self.bed, self.line, env=self.env, cwd=self.cwd)

    def check_screens(self, screens: Mapping[View, Screen]) -> None:
        """Compare what was seen with what is kept."""
        assert self.fault.screen is not None
        ports = [(rf"\b{value}\b", A_PORT) for value in self.values.values() if isinstance(value, int)]
        steadied = {view: steady(screen, self.bed, ports) for view, screen in screens.items()}
        check(self.fault.screen, f"localreg {self.fault.command}", steadied)


class Showing:
    """A fault that is being shown: localreg runs, in a session of its own."""

    def __init__(self, stage: Stage, terminals: Mapping[View, Terminal] | None = None) -> None:
        self._stage = stage
        self._terminals = terminals or {}
        self._began = time.monotonic()
        environment = {**stage.bed.environment, **stage.env}
        self.process = subprocess.Popen(
            stage.bed.command(["/bin/bash", "-c", f"exec {stage.line}"]),
            env={name: value for name, value in environment.items() if value is not None},
            cwd=stage.cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def end(self) -> str:
        """Wait for its end and check it."""
        fault, says = self._stage.fault, self._stage.says
        limit = (fault.seconds or 0) + MARGIN
        try:
            out, _ = self.process.communicate(timeout=max(limit - (time.monotonic() - self._began), 0))
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            out, _ = self.process.communicate()
            raise AssertionError(f"`{fault.command}` took longer than {limit:g} seconds: {out!r}") from None
        text = out.decode(errors="backslashreplace")
        assert self.process.returncode == fault.code, f"exited with {self.process.returncode}\n{text}"
        assert says in text, f"{says!r} is not in {text!r}"
        assert "Traceback" not in text, text
        left = _of_session(self.process.pid)
        assert not left, f"left behind: {left}"
        if self._terminals:
            self._stage.check_screens(
                {view: seen(terminal, code=fault.code) for view, terminal in self._terminals.items()}
            )
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
    case: str, command: str, *, code: int, says: str = "", seconds: float | None = None, kept: str | None = "docker"
) -> Callable[[_Test], _Test]:
    """Say what a test shows; of several each gets a row.

    Args:
        case: What goes wrong.
        command: What is typed after `localreg`.
        code: The exit code.
        says: A part of what localreg says.
        seconds: The product's own time-out, where one plays a part.
        kept: The bed whose screens are kept, where Docker does not know the case; None for no screens.
    """

    def mark(test: _Test) -> _Test:
        # Python begins with the lowest.
        test.__dict__["faults"] = (Fault(case, command, code, says, seconds, kept, test.__name__), *faults_of(test))
        return test

    return mark


def faults_of(test: object) -> tuple[Fault, ...]:
    """What a test says that it shows."""
    found: tuple[Fault, ...] = getattr(test, "faults", ())
    return found
