"""`localreg ls`."""

from __future__ import annotations

from typing import Annotated

import typer

from localreg.cli.batch import Failures, show_all
from localreg.cli.commands import Command, command_app
from localreg.cli.help_page import examples
from localreg.cli.other_registry import refuse_other_registries
from localreg.cli.session import session_of
from localreg.content.ls import SortKey, list_images, registry_in_pattern
from localreg.errors import RepositoryNotFoundError
from localreg.oci.api import RegistryClient
from localreg.output.ls import render
from localreg.registry.container import get_running_registry
from localreg.registry.volume import open_volume
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
        with RegistryClient(registry.get_url()) as client:
            volume = open_volume(selection.engine, registry)
            names_only = session.streams.shows_names_only
            listing = list_images(client, pattern or (), names_only=names_only, volume=volume, sort=sort)
    failures: Failures = [(missing, session.completed(_no_such(missing))) for missing in listing.missing]
    shown = render(listing, failures, location=registry.get_location(), chosen=bool(pattern), full_digests=digests)
    show_all(session, shown if listing.rows or not failures else None, failures)


def _no_such(pattern: str) -> RepositoryNotFoundError:
    return RepositoryNotFoundError(f"the registry does not contain `{pattern}`", hint=CommandLine("ls"))
