"""`localreg tunnel close`."""

from __future__ import annotations

from typing import Annotated

import typer

from localreg.cli.commands import Command, command_app
from localreg.cli.help_page import examples
from localreg.cli.session import session_of
from localreg.errors import NotFoundError, UsageError
from localreg.output.tunnel.close import render
from localreg.system.command_line import CommandLine
from localreg.tunnels.close import close_tunnels
from localreg.tunnels.ls import fits, list_tunnels

app = command_app()


@app.command(cls=Command, epilog=examples("localreg tunnel close build.example.com", "localreg tunnel close --all"))
def close(
    context: typer.Context,
    destination: Annotated[
        str | None, typer.Argument(metavar="[HOST]", help="Host of the tunnel; only needed if several are open")
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Close every tunnel")] = False,
) -> None:
    """Close tunnels; the other machine stops listening."""
    if destination is not None and all_:
        raise UsageError("HOST and --all cannot be combined", hint=CommandLine("tunnel", "close", "--all"))
    found = list_tunnels()
    if destination is not None:
        found = [(files, status) for files, status in found if fits(status, destination)]
        if not found:
            raise NotFoundError(f"no tunnel to `{destination}` is open", hint=CommandLine("tunnel", "ls"))
    elif len(found) > 1 and not all_:
        raise UsageError(
            f"{len(found)} tunnels are open; name the host of one, or use --all",
            hint=CommandLine("tunnel", "close", "--all"),
        )
    close_tunnels(found)
    session_of(context).streams.show(render([status for _, status in found]))
