"""A check, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from localreg.doctor.finding import Finding, Severity

if TYPE_CHECKING:
    from localreg.doctor.scene import Scene


class NotNeededError(Exception):
    """There is nothing to check, such as a certificate of a registry that speaks plain HTTP; the text says why."""


class NotPossibleError(Exception):
    """The check needs something that is missing, such as a registry that runs; the text says what."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that can be wrong."""

    name: str
    """The word for it on the command line."""
    summary: str
    """The state that it makes sure of, in a line."""
    find: Callable[[Scene], Iterable[Finding]]
    """Looks at the scene; raises `NotNeededError` or `NotPossibleError` if it cannot."""
    is_slow: bool = False
    """It takes longer than the others, so it comes last."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check found."""

    check: Check
    findings: tuple[Finding, ...] = ()
    not_needed: str | None = None
    """Why there was nothing to check."""
    not_possible: str | None = None
    """Why it could not be made."""
    seconds: float = 0.0

    @property
    def is_well(self) -> bool:
        """It found no problem."""
        return not any(finding.severity is Severity.PROBLEM for finding in self.findings)
