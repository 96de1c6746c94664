"""Several images at once: go on after a failure, report each, exit with the first failure's code."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import typer

from localreg.cli.session import Session
from localreg.errors import LocalregError
from localreg.images import Transferred
from localreg.output.streams import Format
from localreg.output.transfers import render


def transfer_each(session: Session, names: Sequence[str], move: Callable[[str], Transferred]) -> None:
    """Move one image after the other and show what came of it.

    Args:
        session: This run of the program.
        names: What the user named.
        move: Moves one of them.

    Raises:
        LocalregError: nothing was moved; the first failure.
        typer.Exit: something was moved and something was not; with the first failure's code.
    """
    streams = session.streams
    results: list[Transferred] = []
    errors: list[tuple[str, LocalregError]] = []
    for name in names:
        try:
            results.append(move(name))
        except LocalregError as exc:
            errors.append((name, exc))
    if errors and not results and (len(errors) == 1 or streams.format is Format.JSON):
        raise errors[0][1]
    if streams.format is not Format.JSON:
        for _, error in errors:
            streams.fail(error)
    if results:
        streams.show(render(results, errors))
    if errors:
        raise typer.Exit(errors[0][1].exit_code)
