"""`localreg load`."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Annotated

import typer

from localreg.cli.batch import Failures, show_all
from localreg.cli.commands import Command, command_app
from localreg.cli.help_page import examples
from localreg.cli.session import session_of
from localreg.engines.port import Engine
from localreg.errors import RegistryError, UsageError
from localreg.images.push_check import check_takes_pushes
from localreg.oci.api import RegistryClient
from localreg.oci.reference import Reference, parse_reference, registry_reference
from localreg.output.load import render, render_check
from localreg.places import load as loading
from localreg.places.layout.source import LayoutSource
from localreg.places.opened import opened_source, opened_stream
from localreg.registry.container import Registry
from localreg.registry.failed_write import explained
from localreg.registry.start import find_cause
from localreg.system.command_line import CommandLine

app = command_app()

_STDIN = "-"


@app.command(
    cls=Command,
    epilog=examples(
        "localreg load -i registry.tar", "localreg load -i registry.tar --check", "docker save alpine:3 | localreg load"
    ),
)
def load(
    context: typer.Context,
    input_: Annotated[
        Path | None, typer.Option("-i", "--input", metavar="FILE", help="Read this archive or folder, not stdin")
    ] = None,
    as_: Annotated[
        str | None,
        typer.Option("--as", metavar="NAME[:TAG]", help="Name in the registry", show_default="the archive's own names"),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Read and check the archive only; load nothing")] = False,
) -> None:
    """Load images from an archive into the registry.

    It reads OCI archives and layouts, and what `docker save` and `podman save` write. What the registry has already is
    not read.
    """
    session = session_of(context)
    named = None if as_ is None else registry_reference(parse_reference(as_), registry="")
    if named is not None and named.digest:
        raise UsageError(f"`{as_}` has a digest; --as needs a name and maybe a tag")
    if named is not None and ":" not in str(as_).rpartition("/")[2]:
        named = Reference(None, named.repository)
    path = None if input_ is None or str(input_) == _STDIN else input_
    if path is None and sys.stdin.isatty():
        raise UsageError("no archive: stdin is a terminal", hint=CommandLine("load", "-i", "FILE"))
    shown = _STDIN if path is None else str(path)
    with _opened(path) as source:
        with session.waiting(f"reading {shown}"):
            content, failed = loading.read_entries(source, loading.find_entries(source, shown, as_=named))
        failures: Failures = [(str(wanted), error) for wanted, error in failed]
        if check:
            if content.names:
                with session.copy_display() as watcher:
                    loading.check(source, content, watcher=watcher)
            show_all(session, render_check(content, failures, file=shown) if content.names else None, failures)
            return
        with session.selection() as selection:
            registry = session.running_registry(selection.engine)
            images: list[loading.LoadedImage] = []
            if content.names:
                check_takes_pushes(registry, content.names[0].repository)
                with (
                    _explaining(selection.engine, registry, shown),
                    RegistryClient(registry.get_url()) as client,
                    session.copy_display() as watcher,
                ):
                    images = loading.load(source, content, client, watcher=watcher)
            location = registry.get_location()
    show_all(session, render(images, failures, location=location) if images else None, failures)


@contextlib.contextmanager
def _explaining(engine: Engine, registry: Registry, shown: str) -> Iterator[None]:
    """Add the cause from the registry's log to an error of its own."""
    began = datetime.now(UTC)
    try:
        yield
    except RegistryError as exc:
        cause = find_cause(engine, registry, since=began) if exc.status == HTTPStatus.INTERNAL_SERVER_ERROR else None
        if cause is None:
            raise
        raise explained(exc, registry, cause, what=shown) from exc


@contextlib.contextmanager
def _opened(path: Path | None) -> Iterator[LayoutSource]:
    if path is None:
        with opened_stream(sys.stdin.buffer, _STDIN) as source:
            yield source
    else:
        with opened_source(path) as source:
            yield source
