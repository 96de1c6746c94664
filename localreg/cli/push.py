"""`localreg push`."""

from __future__ import annotations

from typing import Annotated

import typer

from localreg.cli.batch import do_each, show_all
from localreg.cli.commands import Command, command_app
from localreg.cli.help_page import examples
from localreg.cli.other_registry import local_registry_in, refuse_other_registries, registry_in
from localreg.cli.session import session_of
from localreg.errors import UsageError
from localreg.images.push import push_image
from localreg.images.tag import plan_tag, push_as
from localreg.images.transfer import Transferred, check_names
from localreg.output.push import render
from localreg.system.command_line import CommandLine

app = command_app()


@app.command(
    cls=Command,
    epilog=examples("localreg push ansible-playbook:latest", "localreg push 3f57d9401f8d --as team/api:1.4.2"),
)
def push(
    context: typer.Context,
    image: Annotated[list[str], typer.Argument(metavar="IMAGE...", help="Images to push, by name or ID")],
    as_: Annotated[
        str | None,
        typer.Option("--as", metavar="NAME[:TAG]", help="Name in the registry", show_default="the image's own name"),
    ] = None,
) -> None:
    """Push images to the registry.

    localreg tags each image, pushes it, and checks that it arrived.
    """
    if as_ is not None and len(image) > 1:
        raise UsageError("--as works with one image only", hint=CommandLine("push", "IMAGE", "--as", "NAME"))
    check_names(*image, as_)
    session = session_of(context)
    with session.selection() as selection:
        engine = selection.engine
        registry = session.running_registry(engine)
        if as_ is None:
            named = {name: local_registry_in(name) for name in image}
            refuse_other_registries(selection, registry, named, push_as)
        else:
            refuse_other_registries(
                selection, registry, {as_: registry_in(as_)}, lambda _, short: push_as(image[0], short)
            )

        def move(name: str) -> Transferred:
            transfer = plan_tag(engine, registry, name, destination=as_)
            session.streams.note(f"{name} -> {transfer.reference}")
            with session.transfer_display() as on_progress:
                pushed = push_image(engine, registry, transfer, on_progress=on_progress, notify=session.streams.note)
            if pushed.index:
                store = engine.info().name.capitalize()
                session.streams.warn(
                    f"{store} does not have all content of `{name}`, so only the image for one platform was pushed: "
                    f"{pushed.digest}, not the index {pushed.index}"
                )
            return pushed

        moved, failures = do_each(session, image, move)
    show_all(session, render(moved, failures) if moved else None, failures)
