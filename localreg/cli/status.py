"""`localreg status`."""

from __future__ import annotations

import contextlib
from typing import Annotated

import typer

from localreg.cli.commands import Command, command_app, examples
from localreg.cli.podman_hint import plain_http_line
from localreg.cli.session import Session, session_of
from localreg.engines.select import open_engine
from localreg.lifecycle.status import Health, get_status, list_registries
from localreg.output.status import render, render_all

_EXIT_CODES = {Health.HEALTHY: 0, Health.ABSENT: 4, Health.STOPPED: 6, Health.NOT_ANSWERING: 6}


app = command_app()


@app.command(cls=Command, epilog=examples("localreg status", "localreg status --all --json"))
def status(
    context: typer.Context,
    all_: Annotated[bool, typer.Option("--all", help="Every registry on every engine, whoever started it.")] = False,
) -> None:
    """Show what is known of the registry: exit code 0 when it answers, 4 when there is none, else 6."""
    session = session_of(context)
    if all_:
        _show_all(session)
        return
    with session.opened() as engine:
        result = get_status(engine, session.name)
    plain_http = plain_http_line(session, result.engine, result.registry)
    session.streams.show(render(result, plain_http=plain_http, command=session.command))
    raise typer.Exit(_EXIT_CODES[result.health])


def _show_all(session: Session) -> None:
    survey = session.survey()
    with contextlib.ExitStack() as opened:
        engines = [opened.enter_context(open_engine(answer)) for answer in survey.answers]
        session.streams.show(render_all(list_registries(engines)))
