"""`localreg trust`."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated

import typer

from localreg.cli.batch import do_each, show_all
from localreg.cli.commands import Command, command_app
from localreg.cli.help_page import examples
from localreg.cli.session import Session, session_of
from localreg.cli.trust_target import (
    Found,
    check_authority,
    find,
    named_target,
    of_file,
    of_own_ca,
    out_of_reach,
    target_of,
    that_reach_it,
)
from localreg.clients.changes import SYSTEM, option_of
from localreg.clients.port import Client, Machine, Target
from localreg.clients.system_store import SystemStore
from localreg.clients.trust import CLIENTS, Trusted, find_trust, get_client, list_clients, make_trust
from localreg.engines.port import Engine
from localreg.errors import EngineUnavailableError, UsageError
from localreg.output import trust as output
from localreg.registry.defaults import default_volume
from localreg.system.command_line import CommandLine, Sentence

CLIENT_ARGUMENT = typer.Argument(
    metavar="[CLIENT]...", help=f"{', '.join(CLIENTS)}; by default all on this machine", show_default=False
)

app = command_app()


@app.command(
    cls=Command,
    epilog=examples("localreg trust", "localreg trust docker --dry-run", "localreg trust --list", "localreg untrust"),
)
def trust(
    context: typer.Context,
    clients: Annotated[list[str] | None, CLIENT_ARGUMENT] = None,
    list_: Annotated[bool, typer.Option("--list", help="Show which clients can use the registry, and why")] = False,
    location: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST:PORT", help="Trust this address instead of the registry's; can be repeated"),
    ] = None,
    ca: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With --location: the certificate of its CA, as PEM")
    ] = None,
    system: Annotated[
        bool, typer.Option("--system", help="Put the registry's CA into the system's certificate store")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the changes without making them")] = False,
) -> None:
    """Let the programs on this machine use the registry.

    Each one gets only what it needs, and is asked afterwards whether it can use the registry. `localreg untrust` takes
    back exactly what was added.
    """
    session = session_of(context)
    if ca is not None and not location:
        raise UsageError("--ca needs --location", hint=CommandLine("trust", "--location", "HOST:PORT", "--ca", str(ca)))
    machine = _machine(session)
    chosen = [] if system and not clients else _chosen(machine, clients)
    found = Found() if location else find(session)
    target = named_target(session.name, location, ca) if location else target_of(session.name, found)
    if system:
        if not list_:
            check_authority(target)
        chosen.append(SystemStore(machine))
    chosen = _that_reach_it(session, found, chosen, is_named=system or bool(clients))
    if list_:
        results = _each(session, chosen, lambda client: find_trust(client, target), lists=True, skips=not clients)
        unable = [option_of(result.plan.client) for result in results if output.is_refused(result)]
        if unable and not location:
            session.streams.hint(f"{session.command} trust {' '.join(unable)}")
        return
    if target.ca is not None and target.ca_file is None:
        places = " and ".join(target.locations)
        session.streams.note(f"another user's CA signed the registry's certificate; it is trusted for {places} alone")
    _each(
        session,
        chosen,
        lambda client: make_trust(client, target, dry_run=dry_run),
        dry_run=dry_run,
        skips=not clients,
    )


def _that_reach_it(session: Session, found: Found, chosen: Sequence[Client], *, is_named: bool) -> list[Client]:
    """Leave out the clients that do not reach the registry.

    Raises:
        ConflictError: they were named, or are all.
    """
    able = that_reach_it(found, chosen)
    left_out = [client for client in chosen if client not in able]
    if found.registry is not None and left_out:
        error = out_of_reach(found.registry, left_out)
        if is_named or not able:
            raise error
        session.streams.note(f"skipped: {error.message}")
    return able


def undo(session: Session, clients: Sequence[str] | None, *, system: bool, ca: Path | None, dry_run: bool) -> None:
    """Take back all that localreg added for the registry, also from a program that was removed since."""
    if ca is not None and not system:
        raise UsageError("--ca needs --system", hint=CommandLine("untrust", "--system", "--ca", str(ca)))
    machine = _machine(session)
    chosen = [get_client(_known(name, "untrust"), machine) for name in clients or (() if system else CLIENTS)]
    if system:
        chosen.append(SystemStore(machine))
    # Only the system's store has the CAs of several users.
    of_system = of_file(Target(session.name, ()), ca) if ca else of_own_ca(Target(session.name, ()))

    def take_back(client: Client) -> Trusted:
        target = of_system if client.name == SYSTEM else Target(session.name, ())
        return make_trust(client, target, dry_run=dry_run)

    _each(session, chosen, take_back, dry_run=dry_run)


def _each(
    session: Session,
    clients: Sequence[Client],
    do: Callable[[Client], Trusted],
    *,
    dry_run: bool = False,
    lists: bool = False,
    skips: bool = False,
) -> list[Trusted]:
    """Do it with each client, also after a failure, show the results and return them.

    Args:
        session: This run of the program.
        clients: The clients.
        do: Takes one.
        dry_run: It changes nothing.
        lists: It changes nothing, and tells how things are.
        skips: An engine that does not run is left out.
    """

    def attempt(client: Client) -> Trusted | None:
        try:
            return do(client)
        except EngineUnavailableError as exc:
            if not skips:
                raise
            reason = "; ".join(f"{silent.where}: {silent.reason}" for silent in exc.probes) or exc.message
            session.streams.note(f"skipped {client.name}: {reason}")
            return None

    with session.waiting("asking the clients"):
        found, failures = do_each(session, clients, attempt, named=lambda client: client.name)
    results = [result for result in found if result is not None]
    for result in results:
        for note in result.plan.notes:
            session.streams.warn(note)
    if lists:
        shown = output.render_list(results, failures)
    else:
        shown = output.render(results, failures, dry_run=dry_run, command=session.command)
    show_all(session, shown if results or not failures else None, failures)
    return results


def _chosen(machine: Machine, names: Sequence[str] | None) -> list[Client]:
    """The clients that were named, or all on this machine.

    Raises:
        UsageError: a name is not a client's.
        EngineUnavailableError: the machine has none.
    """
    chosen = [get_client(_known(name), machine) for name in dict.fromkeys(names or ())] or list_clients(machine)
    if not chosen:
        raise EngineUnavailableError(
            "this machine has none of the clients that localreg knows",
            hint=Sentence(f"install one of {', '.join(CLIENTS)}"),
        )
    return chosen


def _known(name: str, command: str = "trust") -> str:
    if name not in CLIENTS:
        near = difflib.get_close_matches(name, CLIENTS, n=1)
        raise UsageError(
            f"unknown client `{name}`; localreg knows {', '.join(CLIENTS)}",
            hint=CommandLine(command, near[0] if near else "--help"),
        )
    return name


def _machine(session: Session) -> Machine:
    """This machine; Docker is opened when a client asks for it."""

    def open_docker() -> AbstractContextManager[Engine]:
        from localreg.engines.discovery import select  # noqa: PLC0415 -- some clients need no engine

        return select.select_engine("docker", name=session.name, volume=default_volume(session.name)).engine

    return Machine(os.environ, open_docker=open_docker)
