"""Commands for several names: go on after a failure, report each one, exit with the code of the first."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import typer

from localreg.cli.session import Session
from localreg.content.pattern import is_glob, registry_in_pattern
from localreg.errors import LocalregError, RepositoryNotFoundError, UsageError
from localreg.output.streams import Format, Renderings
from localreg.system.command_line import CommandLine

_T = TypeVar("_T")
_N = TypeVar("_N")

Failures = list[tuple[str, LocalregError]]
"""Names as the user typed them, and why each failed."""


def refuse_patterns(
    session: Session, names: Sequence[str], command: str, *, instead: Callable[[str], str] | None = None
) -> None:
    """Refuse names with wildcards.

    Args:
        session: This run of the program.
        names: As the user typed them.
        command: What needs whole names.
        instead: The hint for a pattern; by default, `ls` finds the names for the command.

    Raises:
        UsageError: a name has a wildcard.
    """
    for name in names:
        # An IPv6 address has brackets as well.
        if is_glob(name.removeprefix(registry_in_pattern(name) or "")):
            found = f"{session.command} ls {shlex.quote(name)} -q"
            raise UsageError(
                f"`{name}` is a pattern; `{command}` needs whole names",
                hint=instead(name) if instead else f"{found} | xargs -r {session.command} {command}",
            )


def do_each(
    session: Session, names: Sequence[_N], do: Callable[[_N], _T], *, named: Callable[[_N], str] = str
) -> tuple[list[_T], Failures]:
    """Do something for each name, also after a failure.

    Args:
        session: This run of the program.
        names: As the user typed them, or things that have a name.
        do: What to do.
        named: The name of a thing.
    """
    results: list[_T] = []
    failures: Failures = []
    for name in names:
        try:
            results.append(do(name))
        except LocalregError as exc:
            failures.append((named(name), session.completed(exc)))
    return results, failures


@contextlib.contextmanager
def removing(session: Session, total: int) -> Iterator[Callable[[], None]]:
    """Tell how many of several things are removed, also after Ctrl-C.

    Args:
        session: This run of the program.
        total: How many there are.

    Yields:
        What to call after each that was removed.
    """
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        if total > 1:
            waiting.say(f"removing, {done} of {total} done")

    try:
        with session.waiting("removing") as waiting:
            yield step
    except KeyboardInterrupt:
        if total > 1:
            session.streams.note(f"interrupted: {done} of {total} are removed; the same command goes on")
        raise


def not_found(session: Session, patterns: Sequence[str]) -> Failures:
    """The failures for patterns that nothing in the registry matches."""

    def error_of(pattern: str) -> LocalregError:
        return RepositoryNotFoundError(f"the registry does not have `{pattern}`", hint=CommandLine("ls"))

    return [(pattern, session.completed(error_of(pattern))) for pattern in patterns]


def show_all(session: Session, shown: Renderings | None, failures: Failures) -> None:
    """Show what succeeded and report what failed. A JSON result contains the failures.

    Args:
        session: This run of the program.
        shown: The result; None if nothing succeeded.
        failures: The names that failed.

    Raises:
        LocalregError: only one thing was asked for, and it failed.
        typer.Exit: something failed; the code is that of the first failure.
    """
    if shown is None and len(failures) == 1:
        raise failures[0][1]
    if shown is None or session.streams.format is not Format.JSON:
        for _, error in failures:
            session.streams.fail(error)
    if shown is not None:
        session.streams.show(shown)
    if failures:
        raise typer.Exit(failures[0][1].exit_code)
