"""`localreg url`."""

from __future__ import annotations

from typing import Annotated

import typer

from localreg.cli.commands import Command, command_app
from localreg.cli.help_page import examples
from localreg.cli.session import NAME_ARGUMENT, session_of
from localreg.output.url import render
from localreg.registry.running import get_running_registry

app = command_app()


@app.command(cls=Command, epilog=examples("localreg url", "curl $(localreg url)/v2/_catalog", "localreg url -q"))
def url(context: typer.Context, registry_name: Annotated[str | None, NAME_ARGUMENT] = None) -> None:
    """Print the registry's address: a URL.

    With --quiet it is the registry's part of a reference, such as localhost:5000.
    """
    session = session_of(context)
    session.take_name(registry_name)
    with session.opened() as engine:
        registry = get_running_registry(engine, session.name)
    session.streams.show(render(registry.get_url(), registry.get_location()))
