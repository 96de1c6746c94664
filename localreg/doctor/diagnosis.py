"""The result of all checks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from localreg.doctor.check import Outcome
from localreg.doctor.finding import Finding, Severity
from localreg.engines.values import EngineInfo
from localreg.system.command_line import CommandLine

PROBLEM_FOUND = 8
"""The exit code if there is a problem, or if no check could be made; warnings alone do not count."""


@dataclass(frozen=True, slots=True)
class Cured:
    """A command that `--fix` ran."""

    command: CommandLine
    exit_code: int
    said: str = ""
    """Its error, if it failed."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What the checks found."""

    outcomes: tuple[Outcome, ...]
    is_whole: bool = True
    """All checks were made."""
    engine: EngineInfo | None = None
    location: str | None = None
    """The registry's part of a reference."""
    version: str | None = None
    """The registry's."""
    cured: tuple[Cured, ...] = ()

    @property
    def findings(self) -> list[Finding]:
        """All findings, in the order of the checks."""
        return [finding for outcome in self.outcomes for finding in outcome.findings]

    def count(self, severity: Severity) -> int:
        """The number of findings of one kind."""
        return sum(finding.severity is severity for finding in self.findings)

    @property
    def exit_code(self) -> int:
        """0 if there is no problem, and at least one check could be made."""
        return 0 if self.is_known and not self.count(Severity.PROBLEM) else PROBLEM_FOUND

    @property
    def is_known(self) -> bool:
        """At least one check could be made."""
        return any(outcome.not_possible is None for outcome in self.outcomes)

    @property
    def safe_cures(self) -> list[CommandLine]:
        """The commands that `--fix` runs, each once."""
        return list(dict.fromkeys(_iter_safe(self.findings)))

    @property
    def curable(self) -> int:
        """The number of findings that `--fix` cures."""
        return sum(finding.is_safe for finding in self.findings)

    @property
    def not_possible(self) -> dict[str, list[str]]:
        """The names of the checks that could not be made, by the reason."""
        found: dict[str, list[str]] = {}
        for outcome in self.outcomes:
            if outcome.not_possible is not None:
                found.setdefault(outcome.not_possible, []).append(outcome.check.name)
        return found


def _iter_safe(findings: list[Finding]) -> Iterator[CommandLine]:
    for finding in findings:
        if finding.is_safe:
            yield from (cure for cure in finding.cures if isinstance(cure, CommandLine))
