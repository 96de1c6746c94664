"""`localreg prune`."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from localreg.cli.batch import Failures, not_found, removing, show_all
from localreg.cli.commands import Command, command_app
from localreg.cli.confirm import confirm
from localreg.cli.help_page import examples
from localreg.cli.other_registry import refuse_other_registries
from localreg.cli.session import Session, session_of
from localreg.content.pattern import registry_in_pattern
from localreg.content.prune import KNOWN_FROM_VOLUME, Pruned, Pruner
from localreg.content.prune_plan import Plan, PruneOptions, read_hash
from localreg.content.reading import unread_error
from localreg.content.rm import check_deletes
from localreg.errors import UsageError
from localreg.oci.api import RegistryClient
from localreg.oci.clock import read_clock
from localreg.output import prune as output
from localreg.registry.client import open_registry
from localreg.registry.volume import open_volume
from localreg.system.command_line import CommandLine

app = command_app()

_SKEW = timedelta(minutes=1)
"""Clocks that differ by less are equal: the registry tells whole seconds, and takes a moment."""


@app.command(
    cls=Command,
    epilog=examples(
        "localreg prune --keep 5 --dry-run",
        "localreg prune --older-than 14d --match '*:dev-*'",
        "localreg prune --untagged --yes",
    ),
)
def prune(
    context: typer.Context,
    keep: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Keep the N images of each repository that were pushed last")
    ] = None,
    older_than: Annotated[
        str | None, typer.Option(metavar="DURATION", help="Remove only what was pushed longer ago, such as 12h or 14d")
    ] = None,
    match: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN",
            help="Remove only these: repository or repository:tag, with * and ? as wildcards; can be repeated",
        ),
    ] = None,
    protect: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN", help="Keep these and `latest`; without : and /, also tags of that name; can be repeated"
        ),
    ] = None,
    untagged: Annotated[bool, typer.Option("--untagged", help="Also remove manifests that no tag leads to")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would go and why; change nothing")] = False,
    apply: Annotated[
        str | None, typer.Option(metavar="HASH", help="Carry out the plan that --dry-run showed, or refuse")
    ] = None,
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Do not ask")] = False,
) -> None:
    """Remove old tags by rules.

    What no rule removes stays, and so does `latest`. Signatures, attestations and the parts of an index follow their
    image. `localreg gc` frees the disk space.
    """
    session = session_of(context)
    options = PruneOptions(keep, older_than, untagged, tuple(match or ()), tuple(protect or ()))
    words = _words(options)
    again = CommandLine(*words, "--dry-run")
    if dry_run and apply is not None:
        raise UsageError("choose one: `--dry-run` or `--apply`")
    if apply is not None and not options.removes:
        raise UsageError(
            "`--apply` needs the options of the plan, such as --keep N", hint=CommandLine("prune", "--help")
        )
    wanted = None if apply is None else read_hash(apply, again=again)
    # A wrong option is told before any engine is asked.
    options.rules(datetime.now(UTC))
    with session.selection() as selection:
        registry = session.running_registry(selection.engine)
        refuse_other_registries(
            selection,
            registry,
            {text: registry_in_pattern(text) for text in (*options.match, *options.protect)},
            lambda text, short: CommandLine(*(short if word == text else word for word in words), "--dry-run"),
        )
        volume = open_volume(selection.engine, registry)
        if volume is None:
            raise unread_error(KNOWN_FROM_VOLUME)
        with open_registry(registry) as client:
            pruner = Pruner(volume, client, options.rules(_now(client)))
            with session.waiting("reading the registry"):
                plan = Plan(options, pruner.decide())
            for text in plan.idle:
                session.streams.warn(f"`{text}` protects nothing")
            if wanted is not None:
                plan.check(wanted, again=again)
            if plan.removals:
                check_deletes(registry, client, plan.removals[0].repository)
            pruned: list[Pruned] = []
            if plan.removals and not dry_run:
                _ask(session, plan, CommandLine(*words), yes=yes or wanted is not None)
                with removing(session, len(plan.removals)) as step:
                    pruned = _remove(pruner, plan, step)
    failures: Failures = [
        *not_found(session, plan.missing),
        *((output.name_of(part.decision), session.completed(part.error)) for part in pruned if part.error),
    ]
    shown = output.render(
        plan,
        pruned,
        failures,
        location=registry.get_location(),
        dry_run=dry_run,
        command=session.command,
        apply=f"{session.command} {shlex.join([*words, '--apply', plan.short_digest])}",
    )
    show_all(session, shown if plan.decisions or not failures else None, failures)


def _now(client: RegistryClient) -> datetime:
    """The time by the clock that also dated the pushes: that of a virtual machine may be hours behind."""
    here, there = datetime.now(UTC), read_clock(client)
    return here if there is None or abs(there - here) < _SKEW else there


def _remove(pruner: Pruner, plan: Plan, step: Callable[[], None]) -> list[Pruned]:
    found: list[Pruned] = []
    for part in pruner.remove(plan.removals):
        found.append(part)
        if part.error is None:
            step()
    return found


def _words(options: PruneOptions) -> list[str]:
    """The words of the command with these options."""
    return [
        "prune",
        *(["--keep", str(options.keep)] if options.keep is not None else []),
        *(["--older-than", options.older_than] if options.older_than is not None else []),
        *(word for text in options.match for word in ("--match", text)),
        *(word for text in options.protect for word in ("--protect", text)),
        *(["--untagged"] if options.untagged else []),
    ]


def _ask(session: Session, plan: Plan, command: CommandLine, *, yes: bool) -> None:
    """Ask before anything goes."""
    if not yes and sys.stderr.isatty():
        for line in output.things(plan):
            session.streams.note(line)
        session.streams.note(f"protected: {output.protected(plan.options)}")
    confirm(session, f"Remove {output.count(plan.removals)}?", yes=yes, command=command)
