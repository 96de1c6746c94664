"""`localreg tunnel open`."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from localreg.cli.commands import Command, command_app
from localreg.cli.help_page import examples
from localreg.cli.session import Session, session_of
from localreg.engines.discovery.select import Selection
from localreg.errors import ConflictError, TunnelError
from localreg.output.tunnel.open import close_command, render
from localreg.registry.container import Registry
from localreg.registry.running import get_running_registry
from localreg.tunnels.files import TunnelFiles, files_of
from localreg.tunnels.keep import process
from localreg.tunnels.ls import get_status
from localreg.tunnels.open import check_request, plan_program, plan_ssh
from localreg.tunnels.spec import DEFAULT_REMOTE_PORT, PORT, UP, LogSource, TunnelSpec, TunnelStatus

app = command_app()

_SETTLE_SECONDS = 10.0
"""How long to wait for a tunnel that is opening or closing."""
_POLL_SECONDS = 0.1


@app.command(
    cls=Command,
    epilog=examples(
        "localreg tunnel open ci@build.example.com",
        "localreg tunnel open -p 2222 build --remote-port 5001 --background",
        "localreg tunnel open --command 'ngrok http {port}' \\\n    --probe-url https://me.ngrok.app",
    ),
)
def open_(
    context: typer.Context,
    destination: Annotated[
        str | None,
        typer.Argument(
            metavar="[[USER@]HOST]", help="Machine to push from; anything that ssh accepts", show_default=False
        ),
    ] = None,
    remote_port: Annotated[
        int, typer.Option(metavar="PORT", min=1, max=65535, help="Port on that machine")
    ] = DEFAULT_REMOTE_PORT,
    bind: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Address on that machine; other than loopback needs --expose")
    ] = "loopback",
    expose: Annotated[bool, typer.Option("--expose", help="Let anyone who can reach that address push")] = False,
    ssh_port: Annotated[
        int | None, typer.Option("--ssh-port", "-p", metavar="PORT", min=1, max=65535, help="Port of its ssh server")
    ] = None,
    identity: Annotated[Path | None, typer.Option(metavar="FILE", help="Private key to log in with")] = None,
    ssh_option: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Option for ssh, as in ssh_config; can be repeated")
    ] = None,
    background: Annotated[
        bool, typer.Option("--background", help="Keep the tunnel open after this command ends")
    ] = False,
    command: Annotated[
        str | None,
        typer.Option(
            metavar="COMMAND", help="Program that makes the tunnel instead of ssh; {port} is the registry's port"
        ),
    ] = None,
    probe_url: Annotated[
        str | None, typer.Option(metavar="URL", help="URL of the registry through that program")
    ] = None,
) -> None:
    """Open a tunnel and keep it open.

    Pushes to localhost:5000 on HOST arrive in the registry on this machine.
    """
    session = session_of(context)
    check_request(destination, command, probe_url)
    with session.selection() as selection:
        registry = get_running_registry(selection.engine, session.name)
        log = _log_source(selection, registry)
    if command is not None:
        spec = plan_program(registry, log, command=command, probe_url=probe_url or "")
        if not registry.options.auth:
            session.streams.warn(f"anyone who can reach `{spec.host}` can push: the registry has no password")
    else:
        spec = plan_ssh(
            registry,
            log,
            host=destination or "",
            remote_port=remote_port,
            bind=bind,
            expose=expose,
            identity=identity,
            ssh_options=[*([f"{PORT}={ssh_port}"] if ssh_port else []), *(ssh_option or ())],
        )
        if expose and not registry.options.auth:
            session.streams.warn(
                f"anyone who can reach {spec.bind} on {spec.host} can push: the registry has no password"
            )
    _keep(session, spec, background=background)


def _log_source(selection: Selection, registry: Registry) -> LogSource | None:
    """The source of the registry's log, unless the engine is behind ssh."""
    info = selection.engine.info()
    endpoint = next(
        (answer.endpoint for answer in selection.survey.answers if answer.endpoint.url == info.endpoint), None
    )
    if endpoint is None or endpoint.is_ssh:
        return None
    return LogSource(info.name, endpoint, registry.container.name)


def _keep(session: Session, spec: TunnelSpec, *, background: bool) -> None:
    claimed = _claim(spec)
    if isinstance(claimed, TunnelStatus):
        session.streams.show(render(claimed, already=True))
        return
    arguments = [*session.as_options(), "tunnel", "keep"]
    if not background:
        process.become(arguments, *claimed)
    code = process.start(arguments, *claimed)
    if code:
        raise typer.Exit(code)


def _is_asked_for(kept: TunnelSpec, asked: TunnelSpec) -> bool:
    return replace(kept, log=None, resumes=False) == replace(asked, log=None)


def _claim(spec: TunnelSpec) -> tuple[TunnelFiles, int] | TunnelStatus:
    """Claim the tunnel, or find that it is already open. Waits for one that is opening or closing.

    Raises:
        ConflictError: it is open with other options.
        TunnelError: it did not open in time.
    """
    deadline = time.monotonic() + _SETTLE_SECONDS
    while (claimed := process.claim(spec)) is None:
        status = get_status(files_of(spec))
        if status is not None and status.state != "unknown" and not _is_asked_for(status.spec, spec):
            raise ConflictError(
                f"a tunnel to port {spec.remote_port} on {spec.host} is already open with other options",
                hint=close_command(spec),
            )
        if status is not None and status.state in UP:
            return status
        if time.monotonic() > deadline:
            state = "does not respond" if status is None else f"is {status.state}"
            reason = f": {status.reason}" if status is not None and status.reason else ""
            raise TunnelError(
                f"a tunnel to port {spec.remote_port} on {spec.host} already exists and {state}{reason}",
                hint=close_command(spec),
            )
        time.sleep(_POLL_SECONDS)
    return claimed
