"""`localreg login`."""

from __future__ import annotations

from typing import Annotated

import typer

from localreg.cli.commands import Command, command_app
from localreg.cli.help_page import examples
from localreg.cli.password_input import can_ask, read_password
from localreg.cli.registry_argument import check_location, take_registry
from localreg.cli.session import NAME_ARGUMENT, session_of
from localreg.engines.port import Engine
from localreg.errors import RegistryError, UsageError
from localreg.oci.access import Credentials
from localreg.output.login import render
from localreg.registry.container import Registry
from localreg.registry.login import check_requires_login, is_accepted, log_in
from localreg.registry.own_login import find_own_login, store_login
from localreg.registry.running import get_running_registry
from localreg.registry.users import DEFAULT_USER
from localreg.system.command_line import CommandLine

app = command_app()


@app.command(
    cls=Command,
    epilog=examples("localreg login", "cat password.txt | localreg login --username ci --password-stdin"),
)
def login(
    context: typer.Context,
    registry_name: Annotated[str | None, NAME_ARGUMENT] = None,
    username: Annotated[
        str | None,
        typer.Option(
            "--username", "-u", metavar="USER", help="User to log in as", show_default="the one that localreg knows"
        ),
    ] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from stdin instead of asking for it")
    ] = False,
) -> None:
    """Log the docker or podman program in to the registry.

    localreg takes the password that it knows, or asks for one. The program stores it as with docker login.
    """
    session = session_of(context)
    location = take_registry(session, registry_name)
    with session.opened() as engine:
        registry = get_running_registry(engine, session.name)
        check_location(registry, location)
        check_requires_login(registry)
        chosen = _choose_login(engine, registry, username, password_stdin=password_stdin)
        store_login(engine, registry, chosen)
        done = log_in(engine, registry, chosen)
    if done.is_unencrypted:
        session.streams.note(f"{done.program} stores the password unencrypted; a credential helper would encrypt it")
    session.streams.show(render(done))


def _choose_login(engine: Engine, registry: Registry, user: str | None, *, password_stdin: bool) -> Credentials:
    """The login that localreg knows, if the registry accepts it; else one that a person types or pipes.

    Raises:
        RegistryError: the registry does not accept it.
        UsageError: there is no password, and no terminal to ask on.
    """
    own = find_own_login(engine, registry)
    name = user or (DEFAULT_USER if own is None else own.user)
    # If localreg can reach the registry's users, it can also give one a new password.
    cure = CommandLine("auth", "add", name) if registry.is_ours else None
    if not password_stdin:
        is_known = own is not None and own.user == name
        if own is not None and is_known and is_accepted(registry, own):
            return own
        if not can_ask():
            if is_known:
                raise RegistryError(f"the registry does not accept the stored password of `{name}`", hint=cure)
            raise UsageError(
                f"localreg does not know the password of `{name}`, and cannot ask for it here",
                hint=CommandLine("login", "--username", name, "--password-stdin"),
            )
    typed = Credentials(name, read_password(name))
    if not is_accepted(registry, typed):
        raise RegistryError(f"the registry does not accept this password of `{name}`", hint=cure)
    return typed
