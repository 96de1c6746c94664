"""Several things asked for at once: go on after a failure, report each, exit with the first failure's code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import typer

from localreg.cli.session import Session
from localreg.errors import LocalregError
from localreg.output.streams import Format, Renderings

_T = TypeVar("_T")

Failures = list[tuple[str, LocalregError]]
"""What the user named, and why nothing came of it."""


def do_each(session: Session, names: Sequence[str], do: Callable[[str], _T]) -> tuple[list[_T], Failures]:
    """Do something for one name after the other, whatever becomes of the others."""
    results: list[_T] = []
    failures: Failures = []
    for name in names:
        try:
            results.append(do(name))
        except LocalregError as exc:
            failures.append((name, session.completed(exc)))
    return results, failures


def show_all(session: Session, shown: Renderings | None, failures: Failures) -> None:
    """Show what succeeded and report what did not; JSON that is shown has the failures in it.

    Args:
        session: This run of the program.
        shown: None when nothing succeeded.
        failures: What did not.

    Raises:
        LocalregError: it was to be one thing, and it failed.
        typer.Exit: there are failures; with the code of the first.
    """
    if shown is None and len(failures) == 1:
        raise failures[0][1]
    if shown is None or session.streams.format is not Format.JSON:
        for _, error in failures:
            session.streams.fail(error)
    if shown is not None:
        session.streams.show(shown)
    if failures:
        raise typer.Exit(failures[0][1].exit_code)
