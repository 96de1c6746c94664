"""`localreg copy`."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from functools import partial
from typing import Annotated

import typer

from localreg.cli.batch import Failures, not_found, show_all
from localreg.cli.commands import Command, command_app
from localreg.cli.copy_arguments import refuse_paths, refuse_pattern, with_way_out
from localreg.cli.help_page import examples
from localreg.cli.session import Session, session_of
from localreg.cli.storing import storing
from localreg.engines.port import Engine
from localreg.errors import LocalregError
from localreg.oci.api import RegistryClient
from localreg.oci.remote import open_client
from localreg.output.copy import render
from localreg.places import copy as copying
from localreg.places.content import read_content
from localreg.places.copy import End
from localreg.places.registry import Placed, RegistryPlace
from localreg.registry.container import Registry
from localreg.registry.start import await_start
from localreg.registry.tls import ca_of
from localreg.system.address import Address

app = command_app()


@app.command(
    cls=Command,
    epilog=examples(
        "localreg copy docker.io/alpine:3.22 team/",
        "localreg copy team/api:1.4.2 ghcr.io/example/",
        "localreg copy / registry.example.com/mirror/ 'team/*:1.*' --dry-run",
    ),
)
def copy(
    context: typer.Context,
    source: Annotated[
        str,
        typer.Argument(
            metavar="SRC",
            help="[HOST/]REPOSITORY[:TAG|@DIGEST]; with --all or patterns also HOST/, or / for localreg's registry",
        ),
    ],
    destination: Annotated[
        str,
        typer.Argument(
            metavar="DST", help="[HOST/]REPOSITORY[:TAG]; if it ends with /, images keep their names below it"
        ),
    ],
    pattern: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PATTERN...]",
            help="Copy only these tags of SRC, or repositories and tags if SRC ends with /; * and ? are wildcards",
        ),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Copy all images of SRC")] = False,
    plain_http: Annotated[
        bool, typer.Option("--plain-http", help="Use registries with HOST:PORT that have no TLS")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be copied; change nothing")] = False,
) -> None:
    """Copy images between registries, without an engine's store in between.

    Digests stay the same, and signatures and attestations come along. A name without a host is in localreg's registry.
    Blobs that the destination has are not sent again. localreg uses the logins of `docker login` and `podman login`.
    """
    session = session_of(context)
    refuse_paths(source, destination)
    refuse_pattern(source, destination)
    ends = copying.read_end(source), copying.read_end(destination)
    copying.check_ends(*ends, pattern or (), everything=everything)
    with contextlib.ExitStack() as stack:
        engine, registry = _own_registry(session, stack, ends)
        near, far = (_known(end, registry) for end in ends)
        program = engine.info().name if engine else None if session.engine == "auto" else session.engine

        def opened(end: End) -> RegistryClient:
            host = end.registry or ""
            own = registry if registry is not None and host == registry.location else None
            client = open_client(
                host,
                url=None if own is None else own.get_url(),
                plain_http=plain_http,
                engine=program,
                ca=None if own is None else ca_of(own),
                on_wait=partial(_tell, session),
            )
            return stack.enter_context(client)

        clients = opened(near), opened(far)
        with session.waiting(f"reading {near.registry}"):
            wanted, missing = copying.find_wanted(clients[0], near, far, pattern or (), everything=everything)
            origin, target = RegistryPlace(clients[0]), RegistryPlace(clients[1], is_both=near.registry == far.registry)
            content, failed = read_content(origin, wanted)
        failures: Failures = [
            *not_found(session, missing),
            *((str(name), with_way_out(ends[0], error)) for name, error in failed),
        ]
        images: list[Placed] = []
        sent = 0
        if content.names and dry_run:
            with session.waiting(f"reading {far.registry}"):
                images, sent = copying.plan(target, content)
        elif content.names:
            if engine is not None and registry is not None and far.registry == registry.location:
                stack.enter_context(storing(engine, registry, content.members, what=source))
            with session.copy_display() as watcher:
                images, sent = copying.copy(origin, target, content, watcher=watcher)
    shown = render(images, failures, location=far.registry or "", sent=sent, dry_run=dry_run) if images else None
    show_all(session, shown, failures)


def _own_registry(
    session: Session, stack: contextlib.ExitStack, ends: tuple[End, End]
) -> tuple[Engine, Registry] | tuple[None, None]:
    """The registry that the command works on, and its engine; without them if no end needs it and there is none."""
    is_needed = any(end.registry is None for end in ends)
    if not is_needed and not any(_may_be_here(end.registry or "") for end in ends):
        return None, None
    # Engines that do not answer are of interest only if one is needed.
    asking = session if is_needed else replace(session, quiet=True)
    try:
        selection = stack.enter_context(asking.selection())
        registry = asking.running_registry(selection.engine)
    except LocalregError:
        if is_needed:
            raise
        return None, None
    await_start(registry)
    return selection.engine, registry


def _may_be_here(host: str) -> bool:
    """The host can be the address of a container: it is an IP address, or `localhost`."""
    name = host.rpartition(":")[0].strip("[]")
    return Address(name, 0).is_loopback or name.replace(".", "").isdigit() or ":" in name


def _known(end: End, registry: Registry | None) -> End:
    """The same end with its registry named, this one by its location."""
    if registry is not None and (end.registry is None or registry.is_named_by(end.registry)):
        return replace(end, registry=registry.get_location())
    return end


def _tell(session: Session, host: str, seconds: float) -> None:
    session.streams.note(f"the registry at {host} asks to wait {seconds:.0f} s")
