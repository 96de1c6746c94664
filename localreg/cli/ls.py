"""`localreg ls`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from localreg.cli.batch import not_found, show_all
from localreg.cli.commands import Command, command_app
from localreg.cli.help_page import examples
from localreg.cli.other_registry import refuse_other_registries
from localreg.cli.session import session_of
from localreg.content.listed import NO_FILTERS, Filters, Listing, SortKey
from localreg.content.ls import list_images, list_stored
from localreg.content.pattern import registry_in_pattern
from localreg.errors import EngineError
from localreg.output.ls import render
from localreg.registry.client import open_registry
from localreg.registry.container import Registry
from localreg.registry.volume import READING_SECONDS, WritableVolume, open_volume
from localreg.system.command_line import CommandLine

app = command_app()


@app.command(
    cls=Command,
    epilog=examples(
        "localreg ls", "localreg ls 'team/*' -q", "localreg ls --sort pushed --filter since=14d --filter kind=image"
    ),
)
def ls(
    context: typer.Context,
    pattern: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PATTERN...]", help="Show only these, as repository or repository:tag; * and ? are wildcards"
        ),
    ] = None,
    sort: Annotated[
        SortKey, typer.Option(metavar="name|pushed|size", help="Order; the last push or the largest size first")
    ] = SortKey.NAME,
    digests: Annotated[bool, typer.Option("--digests", help="Show whole digests")] = False,
    filters: Annotated[
        list[str] | None,
        typer.Option(
            "--filter",
            "-f",
            metavar="KEY=VALUE",
            help="Show only these; keys: kind, platform, digest, since, until (last push: 14d or a date); can be "
            "repeated",
        ),
    ] = None,
    untagged: Annotated[
        bool, typer.Option("--untagged", help="List the manifests that no tag leads to, such as overwritten images")
    ] = False,
) -> None:
    """List the images in the registry."""
    session = session_of(context)
    chosen = _read_filters(filters or ())
    with session.selection() as selection:
        registry = session.running_registry(selection.engine)
        named = {text: registry_in_pattern(text) for text in pattern or ()}
        refuse_other_registries(selection, registry, named, lambda _, short: CommandLine("ls", short))
        volume = open_volume(selection.engine, registry, patience=READING_SECONDS)
        names_only = session.streams.shows_names_only
        with session.waiting("reading the registry"):
            if untagged:
                listing = _list_untagged(registry, volume, pattern or (), sort=sort, filters=chosen)
            else:
                listing = _list(registry, volume, pattern or (), sort=sort, filters=chosen, names_only=names_only)
    if sort is SortKey.PUSHED and listing.rows and not any(row.pushed for row in listing.rows):
        session.streams.note(
            "sorted by name: only the registry's volume tells when tags were pushed, and localreg cannot read it"
        )
    failures = not_found(session, listing.missing)
    shown = render(
        listing,
        failures,
        location=registry.get_location(),
        chosen=bool(pattern or chosen),
        untagged=untagged,
        full_digests=digests,
    )
    show_all(session, shown if listing.rows or not failures else None, failures)


def _read_filters(texts: Sequence[str]) -> Filters:
    if not texts:
        return NO_FILTERS
    from localreg.content.filter import read_filters  # noqa: PLC0415 -- most listings have no filter

    return read_filters(texts)


def _list(
    registry: Registry,
    volume: WritableVolume | None,
    patterns: Sequence[str],
    *,
    sort: SortKey,
    filters: Filters,
    names_only: bool,
) -> Listing:
    if registry.only_volume_tells and volume is not None:
        try:
            return list_stored(volume, patterns, sort=sort, filters=filters)
        except EngineError:
            # Its error has a hint.
            registry.get_url()
            raise
    with open_registry(registry) as client:
        return list_images(client, patterns, names_only=names_only, volume=volume, sort=sort, filters=filters)


def _list_untagged(
    registry: Registry, volume: WritableVolume | None, patterns: Sequence[str], *, sort: SortKey, filters: Filters
) -> Listing:
    from localreg.content.untagged import list_untagged  # noqa: PLC0415 -- tags need less

    if registry.only_volume_tells:
        return list_untagged(None, volume, patterns, sort=sort, filters=filters)
    with open_registry(registry) as client:
        return list_untagged(client, volume, patterns, sort=sort, filters=filters)
