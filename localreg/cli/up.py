"""`localreg up`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from localreg.cli.commands import Command, command_app
from localreg.cli.help_page import examples
from localreg.cli.podman_hint import hint_for, restart_hint
from localreg.cli.session import NAME_ARGUMENT, Session, session_of
from localreg.errors import UsageError
from localreg.output.streams import Renderings
from localreg.output.up import render
from localreg.registry.defaults import DEFAULT_HOST, DEFAULT_IMAGE, DEFAULT_PORT, DEFAULT_WAIT_SECONDS, default_volume
from localreg.registry.exposure import exposure_of
from localreg.registry.options import PullPolicy, read_options
from localreg.registry.port import PortClaims
from localreg.registry.request import UpRequest
from localreg.registry.status import registry_version
from localreg.registry.up import UpAction, UpResult, bring_up
from localreg.registry.users import DEFAULT_USER, UserRequest
from localreg.system.command_line import CommandLine

app = command_app()


def _check_wait(seconds: float) -> float:
    if not 0 < seconds < math.inf:
        raise UsageError("--wait must be a number of seconds greater than 0", hint=CommandLine("up", "--wait", "30"))
    return seconds


@app.command(
    cls=Command, epilog=examples("localreg up", "localreg up --port 5001 --ephemeral", "localreg up --podman-fix")
)
def up(
    context: typer.Context,
    registry_name: Annotated[str | None, NAME_ARGUMENT] = None,
    port: Annotated[
        int | None,
        typer.Option(
            metavar="PORT",
            min=1,
            max=65535,
            help="Port to publish",
            show_default=f"{DEFAULT_PORT} or the next free port",
        ),
    ] = None,
    host: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Address to publish on", show_default=DEFAULT_HOST)
    ] = None,
    image: Annotated[
        str | None, typer.Option(metavar="IMAGE", help="Image to run the registry from", show_default=DEFAULT_IMAGE)
    ] = None,
    volume: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|PATH", help="Volume or folder for the images", show_default=default_volume("<name>")
        ),
    ] = None,
    ephemeral: Annotated[bool, typer.Option("--ephemeral", help="Remove everything when the registry stops")] = False,
    tls: Annotated[
        bool | None, typer.Option("--tls/--no-tls", help="Serve HTTPS, with a certificate by a CA of your own")
    ] = None,
    san: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Another name or address for the certificate; can be repeated"),
    ] = None,
    auth: Annotated[
        bool | None,
        typer.Option("--auth/--no-auth", help="Require a login, with a generated password", show_default="--no-auth"),
    ] = None,
    auth_user: Annotated[
        str | None, typer.Option(metavar="USER", help="User that may log in", show_default=DEFAULT_USER)
    ] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from stdin, or ask for it on a terminal")
    ] = False,
    insecure_exposure: Annotated[
        bool,
        typer.Option("--insecure-exposure", help="Let other machines use the registry without --tls and --auth"),
    ] = False,
    pull: Annotated[
        PullPolicy, typer.Option(metavar="missing|always|never", help="When to pull the registry's image")
    ] = PullPolicy.MISSING,
    image_archive: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Load the registry's image from this archive")
    ] = None,
    wait: Annotated[
        float,
        typer.Option(metavar="SECONDS", callback=_check_wait, help="Time to wait until the registry is ready"),
    ] = DEFAULT_WAIT_SECONDS,
    recreate: Annotated[bool, typer.Option("--recreate", help="Replace the container; keep the images")] = False,
    podman_fix: Annotated[
        bool, typer.Option("--podman-fix", help="Also let the podman program use plain HTTP")
    ] = False,
) -> None:
    """Start the registry and wait until it is ready.

    If it is already running, this command changes nothing.
    """
    session = session_of(context)
    session.take_name(registry_name)
    streams = session.streams
    if image is not None and image_archive is not None:
        raise UsageError("--image and --image-archive cannot be combined")
    asked = read_options(
        port=port, host=host, image=image, volume=volume, ephemeral=ephemeral, tls=tls, san=san or (), auth=auth
    )
    user = _read_user(auth=auth, name=auth_user, password_stdin=password_stdin)
    with session.selection() as selection, session.transfer_display() as on_progress:
        engine = selection.engine
        request = UpRequest(
            name=session.name,
            asked=asked,
            archive=image_archive,
            pull=pull,
            wait_seconds=wait,
            recreate=recreate,
            user=user,
            insecure_exposure=insecure_exposure,
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
        # The registry is running even if podman-fix failed.
        streams.show(render(result, engine.info(), version=version, command=session.command, podman_fix=fixed))
    if result.action is UpAction.CREATED and not ephemeral and (hint := restart_hint(engine.info())):
        streams.hint(hint)
    if hint := hint_for(engine.info(), result.registry, session.command):
        streams.hint(hint)


def _read_user(*, auth: bool | None, name: str | None, password_stdin: bool) -> UserRequest:
    if not auth and (name is not None or password_stdin):
        option = "--password-stdin" if name is None else "--auth-user"
        raise UsageError(f"{option} needs --auth", hint=CommandLine("up", "--auth", option, *([name] if name else [])))
    if not auth:
        return UserRequest()
    from localreg.cli.password_input import read_new_password  # noqa: PLC0415 -- few registries require a login
    from localreg.registry.htpasswd import check_user  # noqa: PLC0415 -- the same

    checked = None if name is None else check_user(name)
    password = read_new_password(checked or DEFAULT_USER) if password_stdin else None
    return UserRequest(checked, password)


def _warn(session: Session, result: UpResult) -> None:
    reason = (
        "localreg did not start this registry and does not change it"
        if result.action is UpAction.ADOPTED
        else f"the registry already exists; {session.command} up --recreate replaces its container"
    )
    if exposure := exposure_of(result.registry):
        session.streams.warn(exposure)
    for option in result.ignored:
        session.streams.warn(f"--{option} does not apply: {reason}")
