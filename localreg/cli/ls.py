"""`localreg ls`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from localreg.cli.batch import Failures, show_all
from localreg.cli.commands import Command, command_app
from localreg.cli.help_page import examples
from localreg.cli.other_registry import refuse_other_registries
from localreg.cli.session import session_of
from localreg.content.ls import Listing, SortKey, list_images, list_stored
from localreg.content.pattern import registry_in_pattern
from localreg.errors import EngineError, RepositoryNotFoundError
from localreg.oci.api import RegistryClient
from localreg.output.ls import render
from localreg.registry.container import Registry
from localreg.registry.running import get_running_registry
from localreg.registry.volume import Volume, open_volume
from localreg.system.command_line import CommandLine

app = command_app()


@app.command(cls=Command, epilog=examples("localreg ls", "localreg ls 'team/*' -q"))
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
) -> None:
    """List the images in the registry."""
    session = session_of(context)
    with session.selection() as selection:
        registry = get_running_registry(selection.engine, session.name)
        named = {text: registry_in_pattern(text) for text in pattern or ()}
        refuse_other_registries(selection, registry, named, lambda _, short: CommandLine("ls", short))
        volume = open_volume(selection.engine, registry)
        # Another's may store its images elsewhere than in its volume.
        if registry.url is None and volume is not None and registry.is_ours:
            listing = _list_stored(registry, volume, pattern or (), sort)
        else:
            with RegistryClient(registry.get_url()) as client:
                names_only = session.streams.shows_names_only
                listing = list_images(client, pattern or (), names_only=names_only, volume=volume, sort=sort)
    failures: Failures = [(missing, session.completed(_no_such(missing))) for missing in listing.missing]
    shown = render(listing, failures, location=registry.get_location(), chosen=bool(pattern), full_digests=digests)
    show_all(session, shown if listing.rows or not failures else None, failures)


def _list_stored(registry: Registry, volume: Volume, patterns: Sequence[str], sort: SortKey) -> Listing:
    try:
        return list_stored(volume, patterns, sort=sort)
    except EngineError:
        # Its error has a hint.
        registry.get_url()
        raise


def _no_such(pattern: str) -> RepositoryNotFoundError:
    return RepositoryNotFoundError(f"the registry does not have `{pattern}`", hint=CommandLine("ls"))
