"""`localreg gc`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Annotated

import typer

from localreg.cli.commands import Command, command_app
from localreg.cli.confirm import confirm
from localreg.cli.help_page import examples
from localreg.cli.session import NAME_ARGUMENT, Session, session_of
from localreg.content import gc as collection
from localreg.content.collected import Collected, Step
from localreg.engines.discovery import select
from localreg.engines.discovery.select import Selection
from localreg.engines.port import Engine
from localreg.engines.values import HostPathMount
from localreg.errors import LocalregError, NotOursError, UsageError
from localreg.output import gc as output
from localreg.output.text import counted
from localreg.output.waiting import Waiting
from localreg.registry.container import Registry
from localreg.registry.running import get_running_registry
from localreg.system.command_line import CommandLine
from localreg.system.moment import parse_duration

app = command_app()


@app.command(cls=Command, epilog=examples("localreg gc --dry-run", "localreg gc", "localreg gc --grace 0 --yes"))
def gc(
    context: typer.Context,
    registry_name: Annotated[str | None, NAME_ARGUMENT] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would go; change nothing")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Put back what is in quarantine")] = False,
    grace: Annotated[
        str, typer.Option(metavar="DURATION", help="Time in quarantine before it is deleted, such as 0 or 2d")
    ] = collection.GRACE,
    keep_untagged: Annotated[
        bool, typer.Option("--keep-untagged", help="Keep manifests without a tag, and their layers")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Collect even if localreg did not create the registry")
    ] = False,
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Do not ask")] = False,
) -> None:
    """Free the disk space of what no tag leads to, while the registry runs.

    It moves this waste into a quarantine in the volume. The next `gc` deletes what is there for longer than the grace
    period; until then, `--undo` puts it back.

    A registry with a cache of layers, such as one that localreg did not create, is stopped meanwhile.
    """
    session = session_of(context)
    session.take_name(registry_name)
    if undo and (dry_run or keep_untagged):
        raise UsageError(f"choose one: `--undo` or `--{'dry-run' if dry_run else 'keep-untagged'}`")
    options = collection.GcOptions(parse_duration(grace), keep_untagged=keep_untagged, force=force)
    given = (("--dry-run", dry_run), ("--undo", undo), ("--keep-untagged", keep_untagged), ("--force", force))
    again = CommandLine(
        "gc",
        *(option for option, is_given in given if is_given),
        *(["--grace", grace] if grace != collection.GRACE else []),
    )
    with session.selection() as selection, contextlib.ExitStack() as stack, _same_options(again):
        engine = selection.engine
        registry = get_running_registry(engine, session.name)
        options = replace(options, others=_open_others(selection, registry, stack))
        command = f"{session.command} gc{'' if registry.is_ours else ' --force'}"
        next_one = f"{command}{' --keep-untagged' if keep_untagged else ''}"
        if undo:
            with session.waiting(Step.RETURNING):
                undone = collection.undo(engine, registry, options)
            session.streams.show(output.render_undo(*undone))
            return
        if dry_run:
            found = _look(session, engine, registry, options)
        else:
            if not yes:
                _ask(session, _look(session, engine, registry, options), options, again)
            with _interruption(session, next_one, f"{command} --undo"), session.waiting(Step.MARKING) as waiting:
                notify = partial(_note, session, waiting)
                found = collection.collect(engine, registry, options, notify=notify, on_step=waiting.say)
    session.streams.show(output.render(found, dry_run=dry_run, next_one=next_one, undo=f"{command} --undo"))


@contextlib.contextmanager
def _same_options(again: CommandLine) -> Iterator[None]:
    """A hint to use `--force` keeps the other options: a dry run must not become a collection."""
    try:
        yield
    except NotOursError as exc:
        raise exc.with_(hint=CommandLine(*again.words, "--force")) from exc


def _look(session: Session, engine: Engine, registry: Registry, options: collection.GcOptions) -> Collected:
    with session.waiting(Step.MARKING) as waiting:
        return collection.look(engine, registry, options, on_step=waiting.say)


def _note(session: Session, waiting: Waiting, text: str) -> None:
    waiting.above(lambda: session.streams.note(text))


@contextlib.contextmanager
def _interruption(session: Session, next_one: str, undo: str) -> Iterator[None]:
    """Tell after Ctrl-C what is left to do: it depends on the moment what was moved already."""
    try:
        yield
    except KeyboardInterrupt:
        session.streams.note(f"interrupted; `{next_one}` goes on, `{undo}` puts back what was moved")
        raise


def _ask(session: Session, found: Collected, options: collection.GcOptions, again: CommandLine) -> None:
    """Ask before a manifest goes."""
    count = len(found.waste.manifests)
    if count:
        stop = "stop the registry for a moment, and " if found.stops else ""
        blobs = f" and {output.rest_of(found)}" if found.waste.blobs else ""
        verb, place = ("move", " into quarantine") if options.grace else ("delete", "")
        question = f"{stop}{verb} {counted(count, 'manifest')} without a tag{blobs}{place}?"
        confirm(session, f"{question[0].upper()}{question[1:]}", yes=False, command=again)


def _open_others(selection: Selection, registry: Registry, stack: contextlib.ExitStack) -> list[Engine]:
    """The other engines of this machine that answered, if their containers may use the registry's folder."""
    info, others = selection.engine.info(), list[Engine]()
    if info.remote or not isinstance(registry.data, HostPathMount):
        return others
    for answer in selection.survey.answers:
        if answer.endpoint.url != info.endpoint and not answer.endpoint.is_remote:
            # One that fails now does not answer either.
            with contextlib.suppress(LocalregError):
                others.append(stack.enter_context(select.open_engine(answer)))
    return others
