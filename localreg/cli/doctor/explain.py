"""`localreg doctor explain`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from localreg.cli.commands import Command, command_app
from localreg.cli.help_page import examples
from localreg.cli.session import Session, session_of
from localreg.errors import NotFoundError, UsageError
from localreg.explain.find import explain as find
from localreg.output.doctor.explain import render
from localreg.registry.defaults import DEFAULT_NAME
from localreg.system.command_line import CommandLine

app = command_app()


@app.command(
    cls=Command,
    epilog=examples(
        "localreg doctor explain 'http: server gave HTTP response to HTTPS client'",
        "docker push localhost:5000/app 2>&1 | localreg doctor explain",
        "localreg doctor explain port-taken",
    ),
)
def explain(
    context: typer.Context,
    message: Annotated[
        list[str] | None,
        typer.Argument(metavar="[MESSAGE]", help="Message to explain, or the name of one", show_default="stdin"),
    ] = None,
) -> None:
    """Explain an error message of an engine or a client.

    The message may have other lines around it. It comes from stdin if it is not an argument.
    """
    session = session_of(context)
    text = " ".join(message) if message else _read(session)
    if not text.strip():
        raise UsageError("there is no message", hint=CommandLine("doctor", "explain", "MESSAGE"))
    found = find(text)
    if not found:
        raise NotFoundError("localreg does not know this message", hint=CommandLine("doctor", "--report"))
    session.streams.show(render(found, completed=lambda step: _completed(session, step)))


def _read(session: Session) -> str:
    if sys.stdin is None:
        return ""
    if sys.stdin.isatty():
        session.streams.note("paste the message, then press Enter and Ctrl-D")
    return sys.stdin.buffer.read().decode(errors="replace")


def _completed(session: Session, step: str) -> str:
    """A command of localreg for the engine and the registry that the user named."""
    if not isinstance(step, CommandLine):
        return step
    engine = None if session.engine == "auto" else session.engine
    return step.for_registry(engine=engine, name=None if session.name == DEFAULT_NAME else session.name)
