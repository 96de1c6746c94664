"""`localreg podman-fix`."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import typer

from localreg.cli.commands import Command, command_app
from localreg.cli.help_page import examples
from localreg.cli.session import Session, session_of
from localreg.clients.podman.check import ask_podman
from localreg.clients.podman.client import READERS, plan_entries
from localreg.clients.podman.drop_in import Plan, Scope, apply_plan
from localreg.clients.podman.machine import fix_machine
from localreg.engines.values import PublishedPort
from localreg.errors import ConfigError, ConflictError, EngineUnavailableError, UsageError
from localreg.oci.reference import is_location
from localreg.output.podman_fix import render
from localreg.output.streams import Renderings
from localreg.registry.container import Registry, find_registry, location_of
from localreg.registry.defaults import DEFAULT_PORT
from localreg.registry.exposure import is_localhost_of_another, localhost_of_another
from localreg.system.command_line import CommandLine, Sentence

app = command_app()


@app.command(
    cls=Command, epilog=examples("localreg podman-fix", "localreg podman-fix --dry-run", "localreg podman-fix --remove")
)
def podman_fix(
    context: typer.Context,
    scope: Annotated[
        Literal["auto", "user", "system"],
        typer.Option(
            metavar="auto|user|system", help="Configuration to change; auto means system for root, user otherwise"
        ),
    ] = "auto",
    location: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST:PORT", help="Allow this address instead of the registry's; can be repeated"),
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Undo the change for this registry")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the change without making it")] = False,
) -> None:
    """Let the podman program use the registry over plain HTTP.

    Without this, plain podman push and podman pull refuse the registry.
    """
    session = session_of(context)
    if remove and location:
        raise UsageError("--remove removes all entries of a registry and cannot be combined with --location")
    locations = [] if remove else [_checked(place) for place in location or ()] or _locations(session)
    session.streams.show(_fix(session, locations, scope=scope, dry_run=dry_run))


def fix_for(session: Session, registry: Registry) -> Renderings:
    """Do the same for `up --podman-fix`, which shows the result as part of its own."""
    return _fix(session, _plain_names(session, registry), scope="auto", dry_run=False)


def _fix(session: Session, locations: Sequence[str], *, scope: Scope, dry_run: bool) -> Renderings:
    if locations and not any(map(shutil.which, READERS)):
        raise EngineUnavailableError(
            "Podman is not installed on this machine, so nothing reads its configuration",
            hint=Sentence("install Podman (https://podman.io/docs/installation); Docker needs no such change"),
        )
    plan, unread = plan_entries(session.name, locations, scope=scope)
    if unread is not None:
        session.streams.warn(unread)
    if not dry_run:
        apply_plan(plan)
        if sys.platform != "linux":
            fix_machine(plan.after)
    _warn(session, plan)
    checked = None if dry_run or not locations else _check(plan, locations)
    return render(plan, checked=checked, dry_run=dry_run, command=session.command)


def _check(plan: Plan, locations: Sequence[str]) -> Mapping[str, bool] | None:
    """Ask Podman whether the change is in force.

    Raises:
        ConfigError: it is not.
    """
    done = [f"{'wrote' if plan.after else 'removed'} {plan.path}"] if plan.changes else []
    try:
        said = ask_podman(locations)
    except ConfigError as exc:
        raise exc.with_(details=[*exc.details, *done]) from exc
    if said is None:
        return None
    refused = {place: obstacle for place, obstacle in said.obstacles.items() if obstacle}
    if refused:
        cures = dict.fromkeys(obstacle.cure for place, obstacle in plan.overridden.items() if place in refused)
        raise ConfigError(
            f"podman still {' and '.join(refused.values())}",
            hint=" and ".join(cures)
            or Sentence("see what podman reads with `podman info --format '{{json .Registries}}'`"),
            details=done,
        )
    return said.allows


def _warn(session: Session, plan: Plan) -> None:
    for path, what in dict.fromkeys((obstacle.path, obstacle.what) for obstacle in plan.overridden.values()):
        session.streams.warn(f"`{path}` {what}")
    for sentence in plan.replaced:
        session.streams.warn(sentence)


def _checked(place: str) -> str:
    host, _, port = place.rpartition(":")
    if host.startswith("["):
        raise UsageError(
            f"podman takes no IPv6 address in the name of an image, so `{place}` is of no use to it",
            hint=CommandLine("podman-fix", "--location", f"localhost:{port}") if host == "[::1]" else None,
        )
    if not is_location(place):
        raise UsageError(
            f"`{place}` is not a valid HOST:PORT", hint=CommandLine("podman-fix", "--location", "localhost:5000")
        )
    return place


def _locations(session: Session) -> list[str]:
    """The addresses of the registry, or of the one that `up` would create."""
    try:
        with session.opened() as engine:
            registry, is_remote = find_registry(engine, session.name), engine.info().remote
    except EngineUnavailableError:
        registry, is_remote = None, False
    if registry is None and is_remote:
        raise _out_of_reach(session, None)
    return [_checked(place) for place in _plain_names(session, registry)]


def both_names(registry: Registry | None) -> list[str]:
    """The beginnings of references to a registry, or to the one that `up` would create."""
    location = (registry.location if registry else None) or f"localhost:{DEFAULT_PORT}"
    return [location, location.replace("localhost", "127.0.0.1")] if location.startswith("localhost:") else [location]


def _plain_names(session: Session, registry: Registry | None) -> list[str]:
    if registry and not registry.speaks_plain_http:
        raise ConflictError(
            f"registry `{registry.container.name}` has TLS, so podman needs its certificate authority, not plain HTTP",
            hint=CommandLine("trust", "podman"),
        )
    if registry and is_localhost_of_another(registry):
        raise _out_of_reach(session, registry.published)
    return both_names(registry)


def _out_of_reach(session: Session, published: PublishedPort | None) -> ConflictError:
    """The error that an entry here would let Podman use plain HTTP for this machine's own `localhost`."""
    location = f"localhost:{DEFAULT_PORT}" if published is None else location_of(published)
    error = localhost_of_another("podman", location, exists=published is not None)
    if published is not None and published.from_host is not None:
        return error.with_(hint=CommandLine("podman-fix", "--location", str(published.from_host)))
    return error.with_(
        hint=Sentence(f"run `{session.command} podman-fix` on that machine"),
        details=[f"if a port of this machine leads there: {session.command} podman-fix --location HOST:PORT"],
    )
