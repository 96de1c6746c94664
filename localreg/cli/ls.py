"""`localreg ls`."""

from __future__ import annotations

from typing import Annotated

import typer

from localreg.cli.commands import Command, command_app, examples
from localreg.cli.session import session_of
from localreg.listing import list_images
from localreg.output.ls import render
from localreg.registry.client import RegistryClient
from localreg.registry_container import get_running_registry

app = command_app()


@app.command(cls=Command, epilog=examples("localreg ls", "localreg ls 'team/*' -q"))
def ls(
    context: typer.Context,
    pattern: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PATTERN...]", help="Repositories, or repository:tag; `*` and `?` stand for anything."),
    ] = None,
) -> None:
    """List what is in the registry."""
    session = session_of(context)
    with session.opened() as engine:
        registry = get_running_registry(engine, session.name)
    with RegistryClient(registry.base_url()) as client:
        listing = list_images(client, pattern or ())
    session.streams.show(render(listing, location=registry.get_location(), chosen=bool(pattern)))
