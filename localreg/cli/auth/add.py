"""`localreg auth add`."""

from __future__ import annotations

from typing import Annotated

import typer

from localreg.cli.commands import Command, command_app
from localreg.cli.help_page import examples
from localreg.cli.password_input import can_ask, read_new_password
from localreg.cli.session import session_of
from localreg.errors import UsageError
from localreg.output.auth import render_added
from localreg.registry.htpasswd import check_user
from localreg.registry.own_login import keep_up
from localreg.registry.running import get_running_registry
from localreg.registry.users import check_has_users, set_password
from localreg.system.command_line import CommandLine

app = command_app()


@app.command(
    cls=Command, epilog=examples("localreg auth add ci", "cat password.txt | localreg auth add ci --password-stdin")
)
def add(
    context: typer.Context,
    user: Annotated[str, typer.Argument(metavar="USER", help="Name of the user")],
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from stdin instead of asking for it")
    ] = False,
) -> None:
    """Add a user, or change the password of one.

    The registry is not restarted.
    """
    session = session_of(context)
    check_user(user)
    if not password_stdin and not can_ask():
        raise UsageError("cannot ask for a password here", hint=CommandLine("auth", "add", user, "--password-stdin"))
    with session.opened() as engine:
        registry = get_running_registry(engine, session.name)
        # Before a person types a password in vain.
        check_has_users(registry)
        password = read_new_password(user)
        was_there = set_password(engine, registry, user, password)
        is_own = keep_up(engine, registry, user, password)
    session.streams.show(render_added(user, registry.get_location(), was_there=was_there, is_own=is_own))
