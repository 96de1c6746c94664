"""The question before something is deleted."""

from __future__ import annotations

import sys

import typer

from localreg.cli.session import Session
from localreg.errors import UsageError
from localreg.output.streams import Format

_DECLINED = 1
"""The exit code after a no, as that of other programs that ask."""


def confirm(session: Session, question: str, *, yes: bool, command: str) -> None:
    """Go on if the user agrees.

    Args:
        session: This run of the program.
        question: Such as `Remove 3 tags?`.
        yes: `--yes` was given: go on without a question.
        command: The words that the user typed, for the hint, such as `rm 'team/*'`.

    Raises:
        UsageError: this is no terminal, so no one can answer.
        typer.Exit: the user said no.
    """
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()) or session.quiet or session.format is Format.JSON:
        what = question.rstrip("?")
        raise UsageError(
            f"cannot ask here: {what[0].lower()}{what[1:]}?",
            hint=f"{session.command} {command} --yes",
        )
    if not typer.confirm(question, err=True):
        session.streams.note("Nothing was changed")
        raise typer.Exit(_DECLINED)
