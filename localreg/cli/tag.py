"""`localreg tag`."""

from __future__ import annotations

from typing import Annotated

import typer

from localreg.cli.commands import Command, command_app
from localreg.cli.help_page import examples
from localreg.cli.other_registry import local_registry_in, refuse_other_registries, registry_in
from localreg.cli.session import session_of
from localreg.errors import UsageError
from localreg.images.tag import plan_tag, tag_image
from localreg.images.transfer import check_names
from localreg.output.tag import render
from localreg.registry.container import get_registry
from localreg.system.command_line import CommandLine

app = command_app()


def _tag_as(image: str, name: str | None) -> CommandLine:
    return CommandLine("tag", image, *([] if name is None else [name]))


@app.command(
    cls=Command, epilog=examples("localreg tag ansible-playbook:latest", "localreg tag api:dev team/api:1.4.2")
)
def tag(
    context: typer.Context,
    image: Annotated[str, typer.Argument(metavar="IMAGE", help="Image to tag, by name or ID")],
    reference: Annotated[
        str | None,
        typer.Argument(metavar="[REFERENCE]", help="Name in the registry", show_default="the image's own name"),
    ] = None,
    as_: Annotated[
        str | None, typer.Option("--as", metavar="NAME[:TAG]", help="Same as REFERENCE, as for push and pull")
    ] = None,
) -> None:
    """Tag an image for the registry without pushing it."""
    if as_ is not None and reference is not None:
        raise UsageError(f"choose one name: `{reference}` or `--as {as_}`", hint=CommandLine("tag", image, "--as", as_))
    reference = reference if as_ is None else as_
    check_names(image, reference)
    session = session_of(context)
    with session.selection() as selection:
        engine = selection.engine
        registry = get_registry(engine, session.name)
        named = {image: local_registry_in(image)} if reference is None else {reference: registry_in(reference)}
        refuse_other_registries(selection, registry, named, lambda _, short: _tag_as(image, short))
        transfer = plan_tag(engine, registry, image, destination=reference, naming=_tag_as)
        tag_image(engine, transfer)
    session.streams.show(render(image, str(transfer.reference)))
