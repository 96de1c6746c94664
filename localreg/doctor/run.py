"""`doctor`: runs checks side by side, and tells of each in their order."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from queue import Empty, SimpleQueue
from threading import Thread

from localreg.doctor.check import Check, NotNeededError, NotPossibleError, Outcome
from localreg.doctor.finding import Finding
from localreg.doctor.scene import Scene
from localreg.errors import LocalregError
from localreg.explain.find import with_hint
from localreg.system.command_line import Sentence

MOST_SECONDS = 60.0
"""How long a check may take."""
_WORKERS = 8


class Run:
    """Some checks at work.

    Args:
        checks: In the order in which they are told; the slow ones last.
        scene: They look at it.
        seconds: How long each may take.
    """

    def __init__(self, checks: Sequence[Check], scene: Scene, *, seconds: float = MOST_SECONDS) -> None:
        self._checks = checks
        self._scene = scene
        self._seconds = seconds
        self._left = SimpleQueue[Check]()
        self._ended = SimpleQueue[Outcome]()
        self._began: dict[str, float] = {}
        self._outcomes: dict[str, Outcome] = {}

    @property
    def waiting_for(self) -> list[str]:
        """The names of the checks that have not ended."""
        return [check.name for check in self._checks if check.name not in self._outcomes]

    def outcomes(self) -> Iterator[Outcome]:
        """Run the checks; each outcome comes as soon as all before it have."""
        for check in self._checks:
            self._left.put(check)
        # A check that hangs holds up neither the others nor the end of the program.
        for _ in range(min(_WORKERS, len(self._checks))):
            Thread(target=self._work, daemon=True).start()
        told: dict[str, str] = {}
        for check in self._checks:
            while check.name not in self._outcomes:
                self._take_next()
            yield _told_once(self._outcomes[check.name], told)

    def _work(self) -> None:
        while True:
            try:
                check = self._left.get_nowait()
            except Empty:
                return
            self._began[check.name] = time.monotonic()
            self._ended.put(make(check, self._scene))

    def _take_next(self) -> None:
        """Wait for a check to end, or until one has taken too long."""
        now = time.monotonic()
        ends = [began + self._seconds for name, began in list(self._began.items()) if name not in self._outcomes]
        try:
            outcome = self._ended.get(timeout=max(min(ends, default=now + 1) - now, 0.01))
        except Empty:
            for check in self._checks:
                began = self._began.get(check.name)
                if check.name not in self._outcomes and began is not None and time.monotonic() - began > self._seconds:
                    self._outcomes[check.name] = Outcome(check, (self._too_slow(check),), seconds=self._seconds)
        else:
            self._outcomes.setdefault(outcome.check.name, outcome)

    def _too_slow(self, check: Check) -> Finding:
        return Finding(
            f"the check `{check.name}` did not end within {self._seconds:g} seconds",
            "the program that it asks hangs, so other commands may hang as well",
        )


def make(check: Check, scene: Scene) -> Outcome:
    """Make one check; if it fails, that is a finding."""
    began = time.monotonic()
    findings: tuple[Finding, ...] = ()
    not_needed = not_possible = None
    try:
        findings = tuple(check.find(scene))
    except NotNeededError as exc:
        not_needed = str(exc)
    except NotPossibleError as exc:
        not_possible = str(exc)
    except LocalregError as exc:
        known = with_hint(exc)
        findings = (Finding(known.message, _UNKNOWN, tuple(filter(None, [known.hint])), details=known.details),)
    except Exception as exc:  # noqa: BLE001 -- a bug in one check must not hide what the others find
        findings = (_crash(check, exc),)
    return Outcome(check, findings, not_needed, not_possible, time.monotonic() - began)


def _told_once(outcome: Outcome, told: dict[str, str]) -> Outcome:
    """The outcome without what an earlier check has told.

    Args:
        outcome: Of one check.
        told: For each cause the name of the check that told it; extended.
    """
    left = tuple(finding for finding in outcome.findings if finding.cause not in told)
    earlier = [told[finding.cause] for finding in outcome.findings if finding.cause in told]
    told.update({finding.cause: outcome.check.name for finding in left if finding.cause is not None})
    is_told = f"the check `{earlier[0]}` tells the same" if earlier and not left else None
    return replace(outcome, findings=left, not_needed=outcome.not_needed or is_told)


_UNKNOWN = "the check could not be made, so it is not known whether this works"


def _crash(check: Check, error: Exception) -> Finding:
    return Finding(
        f"the check `{check.name}` failed: {type(error).__name__}: {error}",
        "this is a bug in localreg; the other checks are not affected",
        (Sentence("report it with the output of `localreg doctor --report`"),),
    )
