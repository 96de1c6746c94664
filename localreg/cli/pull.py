"""`localreg pull`."""

from __future__ import annotations

from typing import Annotated

import typer

from localreg.cli.batch import do_each, refuse_patterns, show_all
from localreg.cli.commands import Command, command_app
from localreg.cli.help_page import examples
from localreg.cli.other_registry import refuse_other_registries, registry_in
from localreg.cli.session import session_of
from localreg.errors import UsageError
from localreg.images.pull import plan_pull, pull_image
from localreg.images.transfer import Transferred, check_names
from localreg.output.push import render
from localreg.system.command_line import CommandLine

app = command_app()


@app.command(
    cls=Command, epilog=examples("localreg pull ansible-playbook:latest", "localreg pull team/api:1.4.2 --as api")
)
def pull(
    context: typer.Context,
    reference: Annotated[list[str], typer.Argument(metavar="REFERENCE...", help="Images to pull")],
    as_: Annotated[
        str | None, typer.Option("--as", metavar="NAME[:TAG]", help="Additional local tag for the image")
    ] = None,
) -> None:
    """Pull images from the registry."""
    if as_ is not None and len(reference) > 1:
        raise UsageError("--as works with one image only", hint=CommandLine("pull", "REFERENCE", "--as", "NAME"))
    session = session_of(context)
    refuse_patterns(session, reference, "pull")
    check_names(*reference, as_)
    with session.selection() as selection:
        engine = selection.engine
        registry = session.running_registry(engine)
        named = {name: registry_in(name) for name in reference}
        again = ["--as", as_] if as_ else []
        refuse_other_registries(selection, registry, named, lambda _, short: CommandLine("pull", short, *again))

        def move(name: str) -> Transferred:
            transfer = plan_pull(registry, name)
            with session.transfer_display() as on_progress:
                return pull_image(engine, registry, transfer, name=as_, on_progress=on_progress)

        moved, failures = do_each(session, reference, move)
    show_all(session, render(moved, failures) if moved else None, failures)
