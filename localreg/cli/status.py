"""`localreg status`."""

from __future__ import annotations

from typing import Annotated

import typer

from localreg.cli.commands import Command, command_app
from localreg.cli.help_page import examples
from localreg.cli.podman_hint import find_plain_http
from localreg.cli.session import NAME_ARGUMENT, Session, session_of
from localreg.engines.discovery.select import none_answered, open_engine
from localreg.errors import LocalregError
from localreg.output.status import render, render_all
from localreg.registry.exposure import exposure_of
from localreg.registry.status import Health, SeenRegistry, get_status, list_registries
from localreg.tunnels.ls import list_tunnels_to

_EXIT_CODES = dict.fromkeys(Health, 6) | {Health.HEALTHY: 0, Health.ABSENT: 4}

app = command_app()


@app.command(cls=Command, epilog=examples("localreg status", "localreg status --all --json"))
def status(
    context: typer.Context,
    registry_name: Annotated[str | None, NAME_ARGUMENT] = None,
    all_: Annotated[bool, typer.Option("--all", help="Show every registry on every engine")] = False,
) -> None:
    """Show the registry's state.

    The exit code is 0 if the registry is ready, 4 if it does not exist, 6 otherwise.
    """
    session = session_of(context)
    session.take_name(registry_name)
    if all_:
        _show_all(session)
        return
    with session.opened() as engine:
        result = get_status(engine, session.name)
    plain_http = find_plain_http(result.engine, result.registry)
    line = plain_http.line(session.command) if plain_http else None
    shown = render(result, plain_http=line, tunnels=list_tunnels_to(session.name), command=session.command)
    if result.registry is not None and (exposure := exposure_of(result.registry)):
        session.streams.warn(exposure)
    session.streams.show(shown)
    raise typer.Exit(_EXIT_CODES[result.health])


def _show_all(session: Session) -> None:
    survey = session.survey()
    if not survey.answers:
        raise none_answered(session.engine, survey)
    session.tell_silent(survey)
    found: list[SeenRegistry] = []
    for answer in survey.answers:
        try:
            with open_engine(answer) as engine:
                found += list_registries(engine)
        except LocalregError as exc:
            session.streams.warn(f"skipped {answer.engine.capitalize()} at {answer.endpoint.shown}: {exc.message}")
    session.streams.show(render_all(found))
