"""`localreg doctor`."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from localreg.cli.commands import Command, command_app
from localreg.cli.help_page import examples
from localreg.cli.session import Session, session_of
from localreg.doctor.check import Check
from localreg.doctor.checks import CHECKS, choose_checks
from localreg.doctor.diagnosis import Cured, Diagnosis
from localreg.doctor.report import write_report
from localreg.doctor.run import Run
from localreg.doctor.scene import Scene
from localreg.errors import LocalregError
from localreg.output.doctor import render, render_findings, render_list, render_report
from localreg.output.streams import Format
from localreg.registry.defaults import default_volume
from localreg.registry.status import registry_version
from localreg.system.command_line import CommandLine
from localreg.system.programs import ProgramError, run

_CURE_SECONDS = 300.0

app = command_app()


class _Doctor(Command):
    """It finds what is wrong with the settings as well."""

    runs_with_broken_settings = True


@app.command(
    cls=_Doctor,
    epilog=examples(
        "localreg doctor",
        "localreg doctor --fix",
        "localreg doctor port trust",
        "localreg doctor explain 'http: server gave HTTP response to HTTPS client'",
    ),
)
def doctor(
    context: typer.Context,
    checks: Annotated[
        list[str] | None, typer.Argument(metavar="[CHECK...]", help="Checks to make", show_default="all")
    ] = None,
    fix: Annotated[bool, typer.Option("--fix", help="Run the cures that are safe, then check again")] = False,
    list_: Annotated[bool, typer.Option("--list", help="List the checks")] = False,
    report: Annotated[
        bool, typer.Option("--report", help="Print a report for an issue, with names and secrets replaced")
    ] = False,
) -> None:
    """Find out what is wrong, and how to fix it.

    The checks ask the engine, the registry and each client that this machine has. They change nothing.
    The exit code is 0 if there is no problem, 8 otherwise.
    """
    session = session_of(context)
    chosen = choose_checks(checks or [])
    if list_:
        session.streams.show(render_list(CHECKS))
        return
    with _scene(session) as scene:
        is_live = not (fix or report) and session.streams.format is Format.TABLE and sys.stdout.isatty()
        diagnosis = _diagnose(session, scene, chosen, is_live=is_live and not session.quiet)
        if report:
            session.streams.show(render_report(write_report(diagnosis, scene)))
            raise typer.Exit(diagnosis.exit_code)
    if fix and diagnosis.safe_cures:
        cured = tuple(_cure(session, command) for command in diagnosis.safe_cures)
        with _scene(session) as scene:
            diagnosis = _diagnose(session, scene, chosen, cured=cured)
    session.streams.show(render(diagnosis, complete=session.typed, command=session.command, is_told=is_live))
    raise typer.Exit(diagnosis.exit_code)


@contextlib.contextmanager
def _scene(session: Session) -> Iterator[Scene]:
    """The registry and its engine, if there is one."""
    from localreg.engines.discovery import select  # noqa: PLC0415 -- not for help

    with contextlib.ExitStack() as stack:
        try:
            with session.waiting("looking for an engine"):
                selection = select.select_engine(session.engine, name=session.name, volume=default_volume(session.name))
        except LocalregError as exc:
            scene = Scene(session.name, no_engine=exc, settings_problems=session.problems)
        else:
            stack.enter_context(selection.engine)
            scene = Scene(
                session.name, engine=selection.engine, survey=selection.survey, settings_problems=session.problems
            )
        stack.callback(scene.close)
        yield scene


def _diagnose(
    session: Session, scene: Scene, checks: Sequence[Check], *, is_live: bool = False, cured: Sequence[Cured] = ()
) -> Diagnosis:
    run = Run(checks, scene)
    outcomes = []
    with session.waiting("checking") as waiting:
        for outcome in run.outcomes():
            outcomes.append(outcome)
            waiting.say(f"checking {', '.join(run.waiting_for)}")
            if is_live and outcome.findings:
                shown = render_findings(outcome, complete=session.typed)
                waiting.above(lambda shown=shown: session.streams.show(shown))  # type: ignore[misc]
    registry = scene.known_registry
    return Diagnosis(
        tuple(outcomes),
        is_whole=len(checks) == len(CHECKS),
        engine=scene.found_engine.info() if scene.found_engine else None,
        location=registry.location if registry else None,
        version=_version(scene),
        cured=tuple(cured),
    )


def _version(scene: Scene) -> str | None:
    if scene.found_engine is None or scene.known_registry is None:
        return None
    with contextlib.suppress(LocalregError):
        return registry_version(scene.found_engine, scene.known_registry)
    return None


def _cure(session: Session, command: CommandLine) -> Cured:
    """Run a cure in a process of its own: its result is not that of this command."""
    typed = session.typed(command)
    words = typed.words if isinstance(typed, CommandLine) else command.words
    with session.waiting(f"running `{typed}`"):
        try:
            ended = run(sys.executable, "-P", "-m", "localreg", *words, seconds=_CURE_SECONDS)
        except ProgramError as exc:
            return Cured(CommandLine(*words), 1, str(exc))
    first = next(iter(ended.err.splitlines()), "") if ended.code else ""
    return Cured(CommandLine(*words), ended.code, first.removeprefix("error: "))
