"""`localreg logout`."""

from __future__ import annotations

from typing import Annotated

import typer

from localreg.cli.commands import Command, command_app
from localreg.cli.help_page import examples
from localreg.cli.registry_argument import check_location, take_registry
from localreg.cli.session import NAME_ARGUMENT, session_of
from localreg.output.logout import render
from localreg.registry.container import get_registry
from localreg.registry.login import log_out

app = command_app()


@app.command(cls=Command, epilog=examples("localreg logout"))
def logout(context: typer.Context, registry_name: Annotated[str | None, NAME_ARGUMENT] = None) -> None:
    """Log the docker or podman program out of the registry.

    localreg's own commands stay logged in until `localreg down --volumes`.
    """
    session = session_of(context)
    location = take_registry(session, registry_name)
    with session.opened() as engine:
        registry = get_registry(engine, session.name)
        check_location(registry, location)
        done = log_out(engine, registry)
    session.streams.show(render(done))
