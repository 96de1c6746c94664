"""`localreg connect`."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from localreg.cli.commands import Command, command_app
from localreg.cli.help_page import examples
from localreg.cli.session import session_of
from localreg.clusters.connect import connect_cluster, connect_network
from localreg.clusters.kinds import KINDS
from localreg.errors import UsageError
from localreg.output.connect import render_cluster, render_network
from localreg.system.command_line import CommandLine

WHAT = typer.Argument(metavar="kind|k3d|minikube|network", help="Kind of cluster, or a network of the engine")
NAME = typer.Argument(
    metavar="[NAME]", help="Name of the cluster or network", show_default="the only cluster, or the usual name"
)
What = Literal["kind", "k3d", "minikube", "network"]

app = command_app()


@app.command(
    cls=Command, epilog=examples("localreg connect kind", "localreg connect k3d dev", "localreg connect network web")
)
def connect(
    context: typer.Context,
    what: Annotated[What, WHAT],
    target: Annotated[str | None, NAME] = None,
) -> None:
    """Let a running cluster, or the containers of a network, use the registry.

    Run it again for new nodes, and after localreg down.
    """
    session = session_of(context)
    with session.selection() as selection, session.waiting("connecting the registry") as waiting:
        engine, answers = selection.engine, selection.survey.answers
        notify = waiting.noting(session.streams.note)
        registry = session.running_registry(engine)
        if what == "network":
            network = check_network(target, "connect")
            result = connect_network(engine, registry, network, answers=answers, notify=notify)
            shown = render_network(result, engine.info(), command=session.command)
        else:
            connected = connect_cluster(engine, registry, KINDS[what], target, answers=answers, notify=notify)
            shown = render_cluster(connected, command=session.command)
    session.streams.show(shown)


def check_network(name: str | None, command: str) -> str:
    """The name of a network, which has to be typed.

    Raises:
        UsageError: it was not.
    """
    if name is None:
        raise UsageError("name the network", hint=CommandLine(command, "network", "NAME"))
    return name
