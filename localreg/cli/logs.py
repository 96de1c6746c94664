"""`localreg logs`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from localreg.cli.commands import Command, command_app
from localreg.cli.help_page import examples
from localreg.cli.session import NAME_ARGUMENT, session_of
from localreg.registry.logs import iter_log, parse_since

app = command_app()


@app.command(cls=Command, epilog=examples("localreg logs -f", "localreg logs --since 10m --tail 20"))
def logs(
    context: typer.Context,
    registry_name: Annotated[str | None, NAME_ARGUMENT] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Follow the log until the container is removed")
    ] = False,
    tail: Annotated[int | None, typer.Option(metavar="N", min=0, help="Show only the last N lines")] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Show only newer lines: 10m, 2026-01-31T12:00:00 or a Unix time")
    ] = None,
    timestamps: Annotated[bool, typer.Option("--timestamps", "-t", help="Show the time of each line")] = False,
) -> None:
    """Show the registry's log, byte for byte."""
    session = session_of(context)
    session.take_name(registry_name)
    moment = None if since is None else parse_since(since)
    out = {"stdout": sys.stdout.buffer, "stderr": sys.stderr.buffer}
    with session.opened() as engine:
        for chunk in iter_log(
            engine,
            session.name,
            follow=follow,
            tail=tail,
            since=moment,
            timestamps=timestamps,
            notify=session.streams.note,
        ):
            stream = out[chunk.stream]
            stream.write(chunk.data)
            stream.flush()
