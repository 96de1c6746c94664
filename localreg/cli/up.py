"""`localreg up`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from localreg.cli.commands import Command, command_app, examples
from localreg.cli.podman_hint import hint_for
from localreg.cli.session import Session, session_of
from localreg.engines.base import Address
from localreg.errors import UsageError
from localreg.lifecycle.port_choice import PortClaims
from localreg.lifecycle.status import registry_version
from localreg.lifecycle.up import UpAction, UpResult, bring_up
from localreg.lifecycle.up_options import read_options
from localreg.lifecycle.up_request import UpRequest
from localreg.output.streams import Renderings
from localreg.output.up import render
from localreg.registry_image import PullPolicy

app = command_app()


def _check_wait(seconds: float) -> float:
    if not 0 < seconds < math.inf:
        raise UsageError(f"`{seconds:g}` seconds is no time to wait", hint="localreg up --wait 30")
    return seconds


@app.command(
    cls=Command, epilog=examples("localreg up", "localreg up --port 5001 --ephemeral", "localreg up --podman-fix")
)
def up(
    context: typer.Context,
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="The port to publish.", show_default="5000, else the next that is free"),
    ] = None,
    host: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="The address to publish on.", show_default="127.0.0.1")
    ] = None,
    image: Annotated[
        str | None, typer.Option(metavar="IMAGE", help="The registry's own image.", show_default="registry:2.8.3")
    ] = None,
    volume: Annotated[
        str | None, typer.Option(metavar="NAME|PATH", help="Where images are kept.", show_default="localreg-<name>")
    ] = None,
    ephemeral: Annotated[
        bool, typer.Option("--ephemeral", help="Throw everything away when the registry stops.")
    ] = False,
    pull: Annotated[
        PullPolicy, typer.Option(metavar="missing|always|never", help="When to pull the registry's own image.")
    ] = PullPolicy.MISSING,
    image_archive: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Load the registry's own image from this archive.")
    ] = None,
    wait: Annotated[
        float,
        typer.Option(metavar="SECONDS", callback=_check_wait, help="How long to wait until the registry answers."),
    ] = 30,
    recreate: Annotated[
        bool, typer.Option("--recreate", help="Replace the registry's container; its images stay.")
    ] = False,
    podman_fix: Annotated[
        bool, typer.Option("--podman-fix", help="Let the podman program use plain HTTP for it, too.")
    ] = False,
) -> None:
    """Start the registry and wait until it answers."""
    session = session_of(context)
    streams = session.streams
    asked = read_options(port=port, host=host, image=image, volume=volume, ephemeral=ephemeral)
    if asked.host is not None and not Address(asked.host, 0).is_loopback:
        streams.warn(f"everybody who reaches {asked.host} can pull, push and delete images: there is no password")
    with session.selection() as selection, session.transfer_display() as on_progress:
        engine = selection.engine
        request = UpRequest(
            name=session.name,
            asked=asked,
            archive=image_archive,
            pull=pull,
            wait_seconds=wait,
            recreate=recreate,
            claims=PortClaims.of(selection.survey.answers, name=session.name, remote=engine.info().remote),
        )
        result = bring_up(engine, request, notify=streams.note, on_progress=on_progress)
        version = registry_version(engine, result.registry)
    _warn(session, result)
    fixed: Renderings | None = None
    try:
        if podman_fix:
            from localreg.cli.podman_fix import fix_for  # noqa: PLC0415 -- loads tomlkit

            fixed = fix_for(session, result.registry)
    finally:
        # It is up, whatever became of the rest.
        streams.show(render(result, engine.info(), version=version, command=session.command, podman_fix=fixed))
    if result.action is UpAction.CREATED and not ephemeral and not engine.info().restarts_containers:
        streams.note("hint: it comes back after a reboot by itself only where podman-restart.service is enabled")
    if hint := hint_for(engine.info(), result.registry, session.command):
        streams.note(hint)


def _warn(session: Session, result: UpResult) -> None:
    reason = (
        "localreg did not start this registry and leaves it as it is"
        if result.action is UpAction.ADOPTED
        else f"the registry is there already; {session.command} up --recreate replaces its container"
    )
    for option in result.ignored:
        session.streams.warn(f"--{option} does not apply: {reason}")
