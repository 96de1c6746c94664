"""`localreg doctor`."""

from __future__ import annotations

from typing import Annotated

import typer

from localreg.cli.commands import Command, command_app
from localreg.cli.help_page import examples
from localreg.cli.session import session_of
from localreg.doctor.checks import CHECKS, choose_checks
from localreg.output.doctor import render_list

app = command_app()


class _Doctor(Command):
    """It finds what is wrong with the settings as well."""

    runs_with_broken_settings = True


@app.command(
    cls=_Doctor,
    epilog=examples(
        "localreg doctor",
        "localreg doctor --fix",
        "localreg doctor port trust",
        "localreg doctor explain 'http: server gave HTTP response to HTTPS client'",
    ),
)
def doctor(
    context: typer.Context,
    checks: Annotated[
        list[str] | None, typer.Argument(metavar="[CHECK...]", help="Checks to make", show_default="all")
    ] = None,
    fix: Annotated[bool, typer.Option("--fix", help="Run the cures that are safe, then check again")] = False,
    list_: Annotated[bool, typer.Option("--list", help="List the checks")] = False,
    report: Annotated[
        bool, typer.Option("--report", help="Print a report for an issue, with names and secrets replaced")
    ] = False,
) -> None:
    """Find out what is wrong, and how to fix it.

    The checks ask the engine, the registry and each client that this machine has. They change nothing.
    The exit code is 0 if there is no problem, 8 otherwise.
    """
    session = session_of(context)
    chosen = choose_checks(checks or [])
    if list_:
        session.streams.show(render_list(CHECKS))
        return
    raise NotImplementedError(chosen, fix, report)
