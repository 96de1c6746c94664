"""`localreg untrust`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from localreg.cli.commands import Command, command_app
from localreg.cli.help_page import examples
from localreg.cli.session import session_of
from localreg.cli.trust import CLIENT_ARGUMENT, undo

app = command_app()


@app.command(cls=Command, epilog=examples("localreg untrust", "localreg untrust docker --dry-run"))
def untrust(
    context: typer.Context,
    clients: Annotated[list[str] | None, CLIENT_ARGUMENT] = None,
    system: Annotated[
        bool, typer.Option("--system", help="Remove the registry's CA from the system's certificate store")
    ] = False,
    ca: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="With --system: the certificate of the CA", show_default="your own CA"),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the changes without making them")] = False,
) -> None:
    """Take back what trust added for the registry.

    What others wrote into the same files stays as it is.
    """
    undo(session_of(context), clients, system=system, ca=ca, dry_run=dry_run)
