"""`localreg down`."""

from __future__ import annotations

from typing import Annotated

import typer

from localreg.cli.commands import Command, command_app
from localreg.cli.help_page import examples
from localreg.cli.session import session_of
from localreg.output.down import render
from localreg.registry.down import bring_down

app = command_app()


@app.command(cls=Command, epilog=examples("localreg down", "localreg down --volumes"))
def down(
    context: typer.Context,
    volumes: Annotated[bool, typer.Option("--volumes", help="Also remove the images")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Remove the container even if localreg did not create it")
    ] = False,
) -> None:
    """Stop the registry and remove its container; keep the images."""
    session = session_of(context)
    with session.opened() as engine:
        result = bring_down(engine, session.name, volumes=volumes, force=force)
    session.streams.show(render(result, command=session.command))
