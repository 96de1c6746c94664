"""`localreg down`."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from localreg.cli.commands import Command, command_app
from localreg.cli.help_page import examples
from localreg.cli.session import NAME_ARGUMENT, session_of
from localreg.clients.docker.client import find_left_file
from localreg.clients.podman.registries_conf import find_left_entry
from localreg.clients.port import Machine
from localreg.output.down import render
from localreg.output.text import home_shortened
from localreg.registry.down import bring_down
from localreg.tunnels.ls import list_tunnels_to

app = command_app()


@app.command(cls=Command, epilog=examples("localreg down", "localreg down --volumes"))
def down(
    context: typer.Context,
    registry_name: Annotated[str | None, NAME_ARGUMENT] = None,
    volumes: Annotated[bool, typer.Option("--volumes", help="Also remove the images")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Remove the container even if localreg did not create it")
    ] = False,
) -> None:
    """Stop the registry and remove its container; keep the images."""
    session = session_of(context)
    session.take_name(registry_name)
    with session.opened() as engine:
        result = bring_down(engine, session.name, volumes=volumes, force=force)
    for spec in list_tunnels_to(session.name):
        session.streams.warn(f"a tunnel to {spec.host} stays open; `localreg tunnel close {spec.host}` closes it")
    session.streams.show(render(result, name=session.name, command=session.command))
    if volumes and (left := find_left_entry(session.name, os.environ)):
        entry = home_shortened(f"removes its entry from {left}")
        session.streams.hint(f"`{session.command} podman-fix --remove` {entry}")
    if volumes and (left := find_left_file(session.name, Machine(os.environ))):
        entry = home_shortened(f"removes its entry from {left}")
        session.streams.hint(f"`{session.command} untrust` {entry}")
