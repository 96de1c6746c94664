"""`localreg trust`."""

from __future__ import annotations

import contextlib
import difflib
import os
import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from localreg.cli.batch import do_each, show_all
from localreg.cli.commands import Command, command_app
from localreg.cli.help_page import examples
from localreg.cli.podman_fix import both_names
from localreg.cli.session import Session, session_of
from localreg.clients.changes import SYSTEM, option_of
from localreg.clients.port import Client, Machine, Target
from localreg.clients.system_store import SystemStore
from localreg.clients.trust import CLIENTS, Trusted, find_trust, get_client, list_clients, make_trust
from localreg.engines.port import Engine
from localreg.errors import ConfigError, ConflictError, EngineUnavailableError, LocalregError, UsageError, reason_of
from localreg.oci.ping import Reply, ask
from localreg.oci.reference import is_location
from localreg.output import trust as output
from localreg.registry.ca import CERTIFICATE, ca_folder, own_ca, signed_by_own_key
from localreg.registry.container import find_registry
from localreg.registry.defaults import default_volume
from localreg.registry.tls import TlsFacts, tls_of
from localreg.system.command_line import CommandLine, Sentence

CLIENT_ARGUMENT = typer.Argument(
    metavar="[CLIENT]...", help=f"{', '.join(CLIENTS)}; by default all on this machine", show_default=False
)
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----")

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
    target = _named(session, location, ca) if location else _target(session)
    if system:
        _check_authority(target)
        chosen.append(SystemStore(machine))
    if list_:
        found = _each(session, chosen, lambda client: find_trust(client, target), lists=True, skips=not clients)
        unable = [option_of(result.plan.client) for result in found if output.is_refused(result)]
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


def undo(session: Session, clients: Sequence[str] | None, *, system: bool, ca: Path | None, dry_run: bool) -> None:
    """Take back all that localreg added for the registry, also from a program that was removed since."""
    if ca is not None and not system:
        raise UsageError("--ca needs --system", hint=CommandLine("untrust", "--system", "--ca", str(ca)))
    machine = _machine(session)
    chosen = [get_client(_known(name, "untrust"), machine) for name in clients or (() if system else CLIENTS)]
    if system:
        chosen.append(SystemStore(machine))
    # Only the system's store has the CAs of several users.
    of_system = _of_file(Target(session.name, ()), ca) if ca else _of_own_ca(Target(session.name, ()))

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


def _target(session: Session) -> Target:
    """The registry, or the one that `up` would create.

    Raises:
        ConflictError: it speaks TLS, and localreg does not know by which CA, so plain HTTP is not what it needs.
    """
    try:
        with session.opened() as engine:
            registry = find_registry(engine, session.name)
    except EngineUnavailableError:
        registry = None
    facts = None if registry is None else tls_of(registry)
    if registry is not None and registry.speaks_plain_http and registry.url and ask(registry.url) is Reply.SPEAKS_TLS:
        raise ConflictError(
            f"registry `{session.name}` speaks TLS, and localreg does not know its CA",
            hint=CommandLine("trust", "--location", registry.get_location(), "--ca", "FILE"),
        )
    # The file is for another user, who has no such CA.
    file = ca_folder() / CERTIFICATE if facts is not None and _is_own(facts) else None
    return Target(session.name, tuple(both_names(registry)), None if facts is None else facts.ca, file)


def _is_own(facts: TlsFacts) -> bool:
    """This user's authority signed the registry's certificate, perhaps before its last renewal."""
    try:
        return facts.ca == own_ca() or signed_by_own_key(facts)
    except LocalregError:
        # It cannot be read, or cryptography is not installed.
        return False


def _of_own_ca(target: Target) -> Target:
    """The same with this user's authority, if there is one, and a place for it."""
    with contextlib.suppress(ConfigError):
        if (own := own_ca()) is not None:
            return replace(target, ca=own, ca_file=ca_folder() / CERTIFICATE)
    return target


def _check_authority(target: Target) -> None:
    """Check that the system may trust the CA of a registry for every program.

    Raises:
        UsageError: the registry has none, or another user made it: the label of a container is not enough.
    """
    if target.ca is None:
        raise UsageError("the registry has no certificate", hint=CommandLine("up", "--recreate", "--tls"))
    if target.ca_file is None:
        raise UsageError(
            "another user's CA signed the registry's certificate",
            hint=Sentence("name its file: localreg trust --system --location HOST:PORT --ca FILE"),
        )


def _named(session: Session, locations: Sequence[str], ca: Path | None) -> Target:
    """The addresses that the user named."""
    places = tuple(dict.fromkeys(map(_checked, locations)))
    target = Target(session.name, places)
    return target if ca is None else _of_file(target, ca)


def _of_file(target: Target, ca: Path) -> Target:
    """The same with the CA whose certificate is in a file.

    Raises:
        ConfigError: it cannot be read, or has no certificate.
    """
    try:
        text = ca.read_text()
    except (OSError, UnicodeDecodeError) as exc:
        reason = reason_of(exc) if isinstance(exc, OSError) else "it is not text"
        raise ConfigError(f"cannot read `{ca}`: {reason}") from exc
    # A file may have a private key as well, and the clients' files can be read by all users.
    certificates = "".join(f"{found}\n" for found in _CERTIFICATE.findall(text))
    if not certificates:
        raise ConfigError(f"`{ca}` has no certificate in PEM", hint=Sentence("name the certificate of the CA"))
    return replace(target, ca=certificates, ca_file=ca.resolve())


def _checked(place: str) -> str:
    if not is_location(place):
        raise UsageError(
            f"`{place}` is not a valid HOST:PORT", hint=CommandLine("trust", "--location", "localhost:5000")
        )
    return place
