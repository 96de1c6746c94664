"""`localreg disconnect`."""

from __future__ import annotations

from typing import Annotated

import typer

from localreg.cli.commands import Command, command_app
from localreg.cli.connect import NAME, WHAT, What, check_network
from localreg.cli.help_page import examples
from localreg.cli.session import session_of
from localreg.clusters.disconnect import disconnect_cluster, disconnect_network
from localreg.clusters.kinds import KINDS
from localreg.output.disconnect import render_cluster, render_network
from localreg.registry.container import find_registry

app = command_app()


@app.command(cls=Command, epilog=examples("localreg disconnect kind", "localreg disconnect network web"))
def disconnect(
    context: typer.Context,
    what: Annotated[What, WHAT],
    target: Annotated[str | None, NAME] = None,
) -> None:
    """Take back what connect did.

    The registry may already be removed.
    """
    session = session_of(context)
    with session.selection() as selection, session.waiting("disconnecting the registry") as waiting:
        engine, answers = selection.engine, selection.survey.answers
        notify = waiting.noting(session.streams.note)
        registry = find_registry(engine, session.name)
        if what == "network":
            network = check_network(target, "disconnect")
            was_in_it = registry is not None and disconnect_network(
                engine, registry, network, answers=answers, notify=notify
            )
            shown = render_network(network, session.name, was_in_it=was_in_it)
        else:
            result = disconnect_cluster(
                engine, session.name, registry, KINDS[what], target, answers=answers, notify=notify
            )
            shown = render_cluster(result, session.name)
    session.streams.show(shown)
