"""`localreg auth rm`."""

from __future__ import annotations

from typing import Annotated

import typer

from localreg.cli.commands import Command, command_app
from localreg.cli.help_page import examples
from localreg.cli.session import session_of
from localreg.errors import NotFoundError
from localreg.output.auth import render_removed
from localreg.registry.own_login import drop
from localreg.registry.running import get_running_registry
from localreg.registry.users import remove_user
from localreg.system.command_line import CommandLine

app = command_app()


@app.command(cls=Command, epilog=examples("localreg auth rm ci"))
def rm(
    context: typer.Context,
    user: Annotated[str, typer.Argument(metavar="USER", help="Name of the user")],
) -> None:
    """Remove a user.

    The registry is not restarted. Its only user stays: without users, it refuses every push and pull.
    """
    session = session_of(context)
    with session.opened() as engine:
        registry = get_running_registry(engine, session.name)
        if not remove_user(engine, registry, user):
            raise NotFoundError(f"the registry has no user `{user}`", hint=CommandLine("auth", "ls"))
        if drop(engine, registry, user):
            session.streams.warn(
                f"localreg used the login of `{user}`; `{session.command} login --username USER` stores another"
            )
    session.streams.show(render_removed(user, registry.get_location()))
