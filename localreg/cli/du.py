"""`localreg du`."""

from __future__ import annotations

import contextlib
from typing import Annotated

import typer

from localreg.cli.batch import not_found, show_all
from localreg.cli.commands import Command, command_app
from localreg.cli.help_page import examples
from localreg.cli.other_registry import refuse_other_registries
from localreg.cli.session import session_of
from localreg.content.du import SortKey, find_usage
from localreg.content.pattern import registry_in_pattern
from localreg.output.du import render
from localreg.output.text import counted
from localreg.registry.client import open_registry
from localreg.registry.volume import open_volume
from localreg.system.command_line import CommandLine

app = command_app()


@app.command(
    cls=Command, epilog=examples("localreg du", "localreg du --tags 'team/*'", "localreg du --json | jq .storage.disk")
)
def du(
    context: typer.Context,
    pattern: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PATTERN...]", help="Show only these, as repository or repository:tag; * and ? are wildcards"
        ),
    ] = None,
    tags: Annotated[bool, typer.Option("--tags", "-a", help="Show each tag, not each repository")] = False,
    sort: Annotated[SortKey, typer.Option(metavar="size|name", help="Order; the largest size first")] = SortKey.SIZE,
    whole: Annotated[bool, typer.Option("--bytes", "-b", help="Show exact sizes in bytes")] = False,
) -> None:
    """Show what the images occupy on the disk.

    UNIQUE is what only this repository or tag keeps; `shared` also belongs to others. Below the rows, localreg adds up
    all bytes of the registry's volume.
    """
    session = session_of(context)
    with session.selection() as selection, contextlib.ExitStack() as opened:
        registry = session.running_registry(selection.engine)
        named = {text: registry_in_pattern(text) for text in pattern or ()}
        refuse_other_registries(selection, registry, named, lambda _, short: CommandLine("du", short))
        volume = open_volume(selection.engine, registry)
        client = None
        if not registry.only_volume_tells or volume is None:
            client = opened.enter_context(open_registry(registry))
        with session.waiting("reading the registry"):
            usage = find_usage(client, volume, pattern or (), by_tag=tags, sort=sort)
    if usage.unreadable:
        session.streams.note(
            f"{counted(usage.unreadable, 'tag')} cannot be read; `{session.command} ls` shows the reason"
        )
    if usage.unknown:
        session.streams.note(
            f"the sizes are those that manifests tell; the registry's volume was not read: {usage.unknown}"
        )
    failures = not_found(session, usage.missing)
    shown = render(
        usage,
        failures,
        location=registry.get_location(),
        command=session.command,
        chosen=bool(pattern),
        whole=whole,
    )
    show_all(session, shown if usage.rows or not failures else None, failures)
