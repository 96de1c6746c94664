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
    volumes: Annotated[bool, typer.Option("--volumes", help="Remove its images, too.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Also when localreg did not create the container.")] = False,
) -> None:
    """Stop the registry and remove its container; its images stay."""
    session = session_of(context)
    with session.opened() as engine:
        result = bring_down(engine, session.name, volumes=volumes, force=force)
    session.streams.show(render(result, command=session.command))
