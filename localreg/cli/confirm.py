"""The question before something is deleted."""

from __future__ import annotations

import sys

import typer

from localreg.cli.session import Session
from localreg.errors import UsageError
from localreg.output.streams import Format
from localreg.system.command_line import CommandLine

_DECLINED = 1
"""The exit code after a no, as that of other programs that ask."""


def confirm(session: Session, question: str, *, yes: bool, command: CommandLine) -> None:
    """Go on if the user agrees.

    Args:
        session: This run of the program.
        question: Such as `Remove 3 tags?`.
        yes: `--yes` was given: go on without a question.
        command: What the user typed; the hint is the same with `--yes`.

    Raises:
        UsageError: there is no terminal to ask on.
        typer.Exit: the user said no.
        typer.Abort: the user pressed Ctrl-C or Ctrl-D.
    """
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()) or session.quiet or session.format is Format.JSON:
        what = question.rstrip("?")
        raise UsageError(
            f"cannot ask here: {what[0].lower()}{what[1:]}?",
            hint=CommandLine(*command.words, "--yes"),
        )
    try:
        agreed = typer.confirm(question, err=True)
    except typer.Abort:
        # The shell's prompt must not follow the question on its line.
        typer.echo(err=True)
        raise
    if not agreed:
        session.streams.note("Nothing was changed")
        raise typer.Exit(_DECLINED)
