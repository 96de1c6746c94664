"""`localreg tunnel ls`."""

from __future__ import annotations

import typer

from localreg.cli.commands import Command, command_app
from localreg.cli.help_page import examples
from localreg.cli.session import session_of
from localreg.output.tunnel.ls import render
from localreg.tunnels.ls import list_tunnels

app = command_app()


@app.command(cls=Command, epilog=examples("localreg tunnel ls", "localreg tunnel ls --json"))
def ls(context: typer.Context) -> None:
    """List open tunnels."""
    session_of(context).streams.show(render([status for _, status in list_tunnels()]))
