"""`localreg auth ls`."""

from __future__ import annotations

import typer

from localreg.cli.commands import Command, command_app
from localreg.cli.help_page import examples
from localreg.cli.session import session_of
from localreg.output.auth import render_users
from localreg.registry.container import get_registry
from localreg.registry.own_login import find_own_login
from localreg.registry.users import list_users

app = command_app()


@app.command(cls=Command, epilog=examples("localreg auth ls", "localreg auth ls --json"))
def ls(context: typer.Context) -> None:
    """List the users."""
    session = session_of(context)
    with session.opened() as engine:
        registry = get_registry(engine, session.name)
        users = list_users(engine, registry)
        own = find_own_login(engine, registry)
    session.streams.show(render_users(users, own=None if own is None else own.user))
