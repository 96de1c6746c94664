"""`localreg load`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from localreg.cli.archive_arguments import path_after_transport
from localreg.cli.batch import show_all
from localreg.cli.commands import Command, command_app
from localreg.cli.from_archive import STDIN, load_archive, parse_as, read_archive
from localreg.cli.help_page import examples
from localreg.cli.other_registry import refuse_other_registries, registry_in
from localreg.cli.session import session_of
from localreg.errors import UsageError
from localreg.output.load import render, render_check
from localreg.places.load import check as check_content
from localreg.system.command_line import CommandLine

app = command_app()


class _Load(Command):
    """Other programs name the file without an option."""

    option_of_argument = "-i"


@app.command(
    cls=_Load,
    epilog=examples(
        "localreg load -i registry.tar", "localreg load -i registry.tar --check", "docker save alpine:3 | localreg load"
    ),
)
def load(
    context: typer.Context,
    input_: Annotated[
        Path | None,
        typer.Option(
            "-i",
            "--input",
            metavar="FILE",
            # localreg tells why it cannot be read.
            readable=False,
            help="Read this archive or folder; - is stdin",
            show_default="-",
        ),
    ] = None,
    as_: Annotated[
        str | None,
        typer.Option("--as", metavar="NAME[:TAG]", help="Name in the registry", show_default="the archive's own names"),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Read and check the archive only; load nothing")] = False,
) -> None:
    """Load images from an archive into the registry.

    It reads OCI archives and layouts, and docker-archives: what `docker save`, `podman save`, skopeo, crane, oras,
    regctl, hauler and buildx write, compressed or not. Layers that the registry already has are not copied.
    """
    session = session_of(context)
    named = parse_as(as_)
    file = None if input_ is None else path_after_transport(str(input_))
    if file is not None:
        raise UsageError(f"`{input_}` does not exist", hint=CommandLine("load", "-i", file))
    path = None if input_ is None or str(input_) == "-" else input_
    if path is None and sys.stdin.isatty():
        raise UsageError("no archive: stdin is a terminal", hint=CommandLine("load", "-i", "FILE"))
    shown = STDIN if path is None else str(path)
    again = CommandLine("load", *([] if path is None else ["-i", shown]), *(["--check"] if check else []))
    if check:
        with read_archive(session, path, as_=named, again=again) as (source, content, failures):
            if content.names:
                with session.copy_display() as watcher:
                    check_content(source, content, watcher=watcher)
        show_all(session, render_check(content, failures, file=shown) if content.names else None, failures)
        return
    with session.selection() as selection:
        registry = session.running_registry(selection.engine)
        if as_ is not None:
            refuse_other_registries(
                selection, registry, {as_: registry_in(as_)}, lambda _, short: CommandLine(*again.words, "--as", short)
            )
        images, sent, failures = load_archive(session, selection.engine, registry, path, as_=named, again=again)
        location = registry.get_location()
    show_all(session, render(images, failures, location=location, sent=sent) if images else None, failures)
