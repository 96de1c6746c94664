"""`localreg save`."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from localreg.cli.batch import Failures, not_found, show_all
from localreg.cli.commands import Command, command_app
from localreg.cli.help_page import examples
from localreg.cli.other_registry import refuse_other_registries
from localreg.cli.session import session_of
from localreg.content.pattern import registry_in_pattern
from localreg.errors import UsageError
from localreg.oci.api import RegistryClient
from localreg.output.save import render
from localreg.places import save as saving
from localreg.places.layout.archive import Output
from localreg.places.part_file import PartFile
from localreg.system.amount import parse_amount
from localreg.system.command_line import CommandLine

app = command_app()


@app.command(
    cls=Command,
    epilog=examples(
        "localreg save -o registry.tar",
        "localreg save -o release.tar team/api:1.4.2 'team/web:*'",
        "localreg save team/api:1.4.2 | ssh server localreg load",
    ),
)
def save(
    context: typer.Context,
    reference: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[REFERENCE...]",
            help="Tags, digests, repositories or patterns; * and ? are wildcards",
            show_default="everything",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write this file, not to stdout")
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="Write files of at most this size, such as 4G: FILE.000, FILE.001"),
    ] = None,
    zstd: Annotated[
        bool, typer.Option("--zstd", help="Compress with Zstandard; layers are compressed already and gain nothing")
    ] = False,
) -> None:
    """Save images of the registry to an OCI archive.

    The archive keeps tags, indexes, signatures and other artifacts, all with their digests. `localreg load` and other
    programs read it.
    """
    session = session_of(context)
    names = reference or []
    most = None if split is None else parse_amount(split)
    if output is None and most is not None:
        raise UsageError("--split needs a file", hint=CommandLine("save", "-o", "FILE", "--split", str(split)))
    if output is None and sys.stdout.isatty():
        raise UsageError("an archive cannot be shown on a terminal", hint=CommandLine("save", "-o", "FILE", *names))
    with session.selection() as selection:
        registry = session.running_registry(selection.engine)
        named = {name: registry_in_pattern(name) for name in names}
        refuse_other_registries(selection, registry, named, lambda _, short: CommandLine("save", short))
        location = registry.get_location()
        with RegistryClient(registry.get_url()) as client:
            with session.waiting("reading the registry"):
                wanted, missing = saving.find_wanted(client, names)
                place, content, failed = saving.read_wanted(client, wanted)
            failures: Failures = [*not_found(session, missing), *((str(name), error) for name, error in failed)]
            images: list[saving.SavedImage] = []
            size = 0
            if content.names:
                with session.copy_display() as watcher, _opened(output, most, zstd=zstd) as (target, part):
                    images = saving.save(place, content, target, location=location, watcher=watcher)
                size = 0 if part is None else part.size
    shown = render(images, failures, file=output, size=size) if images and output else None
    show_all(session, shown, failures)


@contextlib.contextmanager
def _opened(path: Path | None, split: int | None, *, zstd: bool) -> Iterator[tuple[Output, PartFile | None]]:
    """What an archive is written to, and its file if that is not stdout."""
    with contextlib.ExitStack() as stack:
        part = None if path is None else stack.enter_context(PartFile(path, split=split))
        target: Output = part or sys.stdout.buffer
        if zstd:
            from localreg.places.zstd import compressed  # noqa: PLC0415 -- loads a library

            target = stack.enter_context(compressed(target))
        yield target, part
        if part is None:
            sys.stdout.buffer.flush()
