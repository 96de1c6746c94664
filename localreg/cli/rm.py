"""`localreg rm`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from typing import Annotated

import typer

from localreg.cli.batch import Failures, do_each, refuse_patterns, removing, show_all
from localreg.cli.commands import Command, command_app
from localreg.cli.confirm import confirm
from localreg.cli.help_page import examples
from localreg.cli.other_registry import refuse_other_registries
from localreg.cli.session import Session, session_of
from localreg.content import rm as removal
from localreg.content.pattern import registry_in_pattern
from localreg.content.removals import Planner, check_name, distinct
from localreg.content.rm import Removal, Removed
from localreg.oci.reference import find_reference
from localreg.output.rm import question, render, things
from localreg.registry.client import open_registry
from localreg.registry.volume import open_volume
from localreg.system.command_line import CommandLine

app = command_app()


@app.command(
    cls=Command,
    epilog=examples(
        "localreg rm ansible-playbook:latest",
        "localreg rm 'team/*:dev-*' --dry-run",
        "localreg rm --repository team/api --yes",
    ),
)
def rm(
    context: typer.Context,
    reference: Annotated[
        list[str],
        typer.Argument(metavar="REFERENCE...", help="Tags, digests or patterns to remove; * and ? are wildcards"),
    ],
    repository: Annotated[
        bool, typer.Option("-r", "--repository", help="Remove whole repositories, not those below them")
    ] = False,
    keep_local: Annotated[bool, typer.Option("--keep-local", help="Keep the engine's tag of that name")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would go; change nothing")] = False,
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Do not ask")] = False,
) -> None:
    """Remove tags from the registry; keep other tags of the same image.

    A digest goes with all its tags. The engine's tag of the same name also goes, but not the image's other names there.
    localreg asks before more than one thing goes. `localreg gc` frees the disk space.
    """
    session = session_of(context)
    if repository:
        refuse_patterns(
            session, reference, "rm --repository", instead=lambda name: CommandLine("rm", name, "--dry-run")
        )
    for name in reference:
        check_name(name)
    given = (("--repository", repository), ("--keep-local", keep_local), ("--dry-run", dry_run))
    again = CommandLine("rm", *(option for option, is_given in given if is_given))
    with session.selection() as selection:
        engine = selection.engine
        registry = session.running_registry(engine)
        refuse_other_registries(
            selection,
            registry,
            {name: registry_in_pattern(name) for name in reference},
            lambda _, short: CommandLine(*again.words, short),
            lambda _, short: CommandLine("ls", *_repository_of(short)),
        )
        volume = open_volume(engine, registry) if repository or any("@" in name for name in reference) else None
        with open_registry(registry) as client:
            planner = Planner(registry, client, volume)

            def plan(name: str) -> list[Removal]:
                found = planner.plan_repository(name) if repository else planner.plan(name)
                # Before the question, and in a dry run.
                first = found[0]
                tag = None if first.is_found else first.reference.tag
                removal.check_deletes(registry, client, first.reference.repository, tag=tag)
                return found

            with session.waiting("reading the registry"):
                planned, failures = do_each(session, reference, plan)
        removals = distinct(part for found in planned for part in found)
        done: list[list[Removed]] = []
        failed: Failures = []
        if dry_run:
            look = partial(removal.look, engine, registry, keep_local=keep_local)
            done, failed = do_each(session, removals, look, named=lambda part: part.source)
        elif removals:
            _ask(session, removals, CommandLine(*again.words, *reference), yes=yes)
            with removing(session, len(removals)) as step:

                def remove(part: Removal) -> list[Removed]:
                    gone = removal.remove(engine, registry, part, keep_local=keep_local)
                    step()
                    return gone

                done, failed = do_each(session, removals, remove, named=lambda part: part.source)
        info = engine.info()
    results, failures = [part for found in done for part in found], [*failures, *failed]
    for part in results:
        if part.kept_by:
            session.streams.note(f"{info.name.capitalize()} keeps {part.reference}: {part.kept_by}")
    show_all(session, render(results, failures, engine=info.name, dry_run=dry_run) if results else None, failures)


def _repository_of(name: str) -> list[str]:
    named = find_reference(name)
    return [named.repository] if named else []


def _ask(session: Session, removals: Sequence[Removal], command: CommandLine, *, yes: bool) -> None:
    """Ask before more than one thing goes."""
    if removal.count(removals) == 1:
        return
    if not yes and sys.stderr.isatty():
        for line in things(removals):
            session.streams.note(line)
    confirm(session, question(removals), yes=yes, command=command)
