"""`localreg rm`."""

from __future__ import annotations

from typing import Annotated

import typer

from localreg.cli.batch import do_each, refuse_patterns, show_all
from localreg.cli.commands import Command, command_app
from localreg.cli.help_page import examples
from localreg.cli.other_registry import refuse_other_registries, registry_in
from localreg.cli.session import session_of
from localreg.content import rm as removal
from localreg.oci.reference import parse_reference
from localreg.output.rm import render
from localreg.registry.running import get_running_registry
from localreg.system.command_line import CommandLine

app = command_app()


@app.command(
    cls=Command,
    epilog=examples(
        "localreg rm ansible-playbook:latest",
        "localreg rm team/api:dev --keep-local",
        "localreg ls 'team/*' -q | xargs -r localreg rm",
    ),
)
def rm(
    context: typer.Context,
    reference: Annotated[list[str], typer.Argument(metavar="REFERENCE...", help="Tags to remove")],
    keep_local: Annotated[bool, typer.Option("--keep-local", help="Keep the engine's tag of that name")] = False,
) -> None:
    """Remove tags from the registry; keep other tags of the same image.

    The engine's tag of the same name also goes, but not the image's other names there.
    """
    session = session_of(context)
    refuse_patterns(session, reference, "rm")
    for name in reference:
        parse_reference(name)
    with session.selection() as selection:
        engine = selection.engine
        registry = get_running_registry(engine, session.name)
        refuse_other_registries(
            selection,
            registry,
            {name: registry_in(name) for name in reference},
            lambda _, short: CommandLine("rm", short),
            lambda _, short: CommandLine("ls", parse_reference(short).repository),
        )
        removed, failures = do_each(
            session,
            reference,
            lambda name: removal.remove(engine, registry, removal.plan_removal(registry, name), keep_local=keep_local),
        )
        info = engine.info()
    for done in removed:
        if done.kept_by:
            session.streams.note(f"{info.name.capitalize()} keeps {done.reference}: {done.kept_by}")
    show_all(session, render(removed, failures, engine=info.name) if removed else None, failures)
