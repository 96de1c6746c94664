"""The result of `doctor`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from localreg.doctor.check import Check, Outcome
from localreg.doctor.diagnosis import Diagnosis
from localreg.doctor.finding import Finding, Severity
from localreg.output.block import aligned, block, fold
from localreg.output.registry import engine_json
from localreg.output.streams import Renderings, paint
from localreg.output.text import counted, home_shortened, printable, with_short_digests
from localreg.system.command_line import CommandLine, Sentence

_COLOURS = {Severity.PROBLEM: "31", Severity.WARNING: "33"}
_INDENT = "  "
_GUTTER = 7
"""Columns of the names of facts."""

_NAMED = 4
"""More checks than these are counted, not named."""

Complete = Callable[[str], str]
"""Adds to a command of localreg what the user typed to name the engine and the registry."""


def render(diagnosis: Diagnosis, *, complete: Complete, command: str, is_told: bool = False) -> Renderings:
    """Lay out what the checks found.

    Args:
        diagnosis: The result.
        complete: For each cure.
        command: `localreg`, with the registry's name unless that is the default.
        is_told: The findings were shown as they came, so that only the end is missing.
    """

    def table(width: int) -> str:
        told = [] if is_told else [findings_of(one, width, complete) for one in diagnosis.outcomes if one.findings]
        return "\n\n".join([*told, _end(diagnosis, width, command)])

    return Renderings(
        table=table,
        plain=lambda: "\n".join(line for outcome in diagnosis.outcomes for line in _records(outcome, complete)),
        quiet=lambda: "\n".join(outcome.check.name for outcome in diagnosis.outcomes if outcome.findings),
        json=lambda: {
            "works": diagnosis.exit_code == 0,
            "engine": engine_json(diagnosis.engine) if diagnosis.engine else None,
            "location": diagnosis.location,
            "version": diagnosis.version,
            "checks": [_outcome_json(outcome, complete) for outcome in diagnosis.outcomes],
            "fixed": [{"command": str(one.command), "exit_code": one.exit_code} for one in diagnosis.cured],
        },
    )


def render_findings(outcome: Outcome, *, complete: Complete) -> Renderings:
    """Lay out the findings of one check, for a terminal that shows each as it comes."""
    return Renderings(table=lambda width: f"{findings_of(outcome, width, complete)}\n", plain=str, json=dict)


def render_list(checks: Sequence[Check]) -> Renderings:
    """Lay out the names of the checks, and the state that each makes sure of."""
    rows = [(check.name, check.summary) for check in checks]
    return Renderings(
        table=lambda width: "\n".join(aligned(rows, width=width)),
        plain=lambda: "\n".join("\t".join(row) for row in rows),
        quiet=lambda: "\n".join(name for name, _ in rows),
        json=lambda: {"checks": [{"name": name, "summary": summary} for name, summary in rows]},
    )


def render_report(text: str) -> Renderings:
    """A report, which is the same for people and programs."""
    return Renderings(table=lambda _width: text, plain=lambda: text, json=lambda: {"report": text})


def findings_of(outcome: Outcome, width: int, complete: Complete) -> str:
    """The findings of one check, each as a block."""
    return "\n\n".join(_block(outcome.check, finding, width, complete) for finding in outcome.findings)


def _block(check: Check, finding: Finding, width: int, complete: Complete) -> str:
    label = f"{finding.severity}:"
    head = fold(f"{label} {printable(finding.what)}", width)
    details = [with_short_digests(line) for detail in finding.details for line in detail.splitlines()]
    return "\n".join(
        [
            paint(label, _COLOURS[finding.severity], sys.stdout) + head.removeprefix(label),
            *(fold(f"{_INDENT}{home_shortened(line)}", width, indent=f"{_INDENT}{_INDENT}") for line in details),
            *_fact("why", printable(finding.why), width),
            *(line for number, cure in enumerate(finding.cures) for line in _cure(number, complete(cure), width)),
            *_fact("check", check.name, width),
        ]
    )


def _fact(name: str, value: str, width: int) -> list[str]:
    return aligned([(f"{name:<{_GUTTER - len(_INDENT)}}", value)], width=width, indent=_INDENT)


def _cure(number: int, cure: str, width: int) -> list[str]:
    name = "" if number else "cure"
    if isinstance(cure, Sentence):
        return _fact(name, printable(cure), width)
    # A folded command could not be copied.
    return [f"{_INDENT}{name:<{_GUTTER}}{printable(cure)}"]


def _end(diagnosis: Diagnosis, width: int, command: str) -> str:
    facts = [("ran", f"{one.command}{_failure(one.exit_code, one.said)}") for one in diagnosis.cured]
    if diagnosis.safe_cures and not diagnosis.cured:
        facts.append(("fix", f"`{command} doctor --fix` {_cures(diagnosis)}"))
    for reason, names in diagnosis.not_possible.items():
        shown = ", ".join(names) if len(names) <= _NAMED else counted(len(names), "check")
        facts.append(("left out", f"{shown}: {reason}"))
    return block(_headline(diagnosis), facts, width=width)


def _cures(diagnosis: Diagnosis) -> str:
    if diagnosis.curable < len(diagnosis.findings):
        return f"cures {diagnosis.curable} of them"
    return "cures it" if diagnosis.curable == 1 else "cures them"


def _failure(exit_code: int, said: str) -> str:
    return f" (failed with exit code {exit_code}: {printable(said)})" if exit_code else ""


def _headline(diagnosis: Diagnosis) -> str:
    problems, warnings = diagnosis.count(Severity.PROBLEM), diagnosis.count(Severity.WARNING)
    numbers = [
        *([counted(problems, "problem")] if problems else []),
        *([counted(warnings, "warning")] if warnings else []),
    ]
    if numbers:
        return " and ".join(numbers)
    if not diagnosis.is_known:
        return "No check could be made"
    if not diagnosis.is_whole:
        made = [outcome.check.name for outcome in diagnosis.outcomes if outcome.not_possible is None]
        return f"Everything works: checked {', '.join(made)}"
    engine = diagnosis.engine
    if engine is None or diagnosis.location is None:
        return "Everything works"
    version = f"{diagnosis.version} " if diagnosis.version else ""
    return (
        f"Everything works: registry {version}at {diagnosis.location}, "
        f"{engine.name.capitalize()} {engine.version}{', rootless' if engine.rootless else ''}"
    )


def _state(outcome: Outcome) -> tuple[str, str]:
    if outcome.not_needed is not None:
        return "not needed", outcome.not_needed
    if outcome.not_possible is not None:
        return "not possible", outcome.not_possible
    return "works", ""


def _records(outcome: Outcome, complete: Complete) -> list[str]:
    name = outcome.check.name
    if not outcome.findings:
        return ["\t".join((name, *_state(outcome), ""))]
    return [
        "\t".join(
            (
                name,
                str(finding.severity),
                printable(finding.what),
                printable(next((complete(cure) for cure in finding.cures if isinstance(cure, CommandLine)), "")),
            )
        )
        for finding in outcome.findings
    ]


def _outcome_json(outcome: Outcome, complete: Complete) -> dict[str, Any]:
    state, reason = _state(outcome)
    return {
        "name": outcome.check.name,
        "state": "found" if outcome.findings else state,
        "reason": reason or None,
        "seconds": round(outcome.seconds, 3),
        "findings": [
            {
                "severity": str(finding.severity),
                "what": finding.what,
                "why": finding.why,
                "details": list(finding.details),
                "cures": [
                    {"text": str(complete(cure)), "is_command": not isinstance(cure, Sentence)}
                    for cure in finding.cures
                ],
                "safe": finding.is_safe,
            }
            for finding in outcome.findings
        ],
    }
