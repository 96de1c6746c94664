"""`localreg logs`."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Annotated

import typer

from localreg.cli.commands import Command, command_app
from localreg.cli.help_page import examples
from localreg.cli.session import NAME_ARGUMENT, session_of
from localreg.engines.values import LogChunk
from localreg.output.streams import Format
from localreg.registry.logs import iter_log
from localreg.system.moment import parse_moment

app = command_app()


@app.command(
    cls=Command,
    epilog=examples("localreg logs -f", "localreg logs --since 10m --tail 20", "localreg logs --json | jq -r .line"),
)
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
    """Show the registry's log, byte for byte.

    With --json, each line is an object on stdout.
    """
    session = session_of(context)
    session.take_name(registry_name)
    moment = None if since is None else parse_moment(since)
    show = _show_as_json if session.streams.format is Format.JSON else _show
    with session.opened() as engine:
        show(
            iter_log(
                engine,
                session.name,
                follow=follow,
                tail=tail,
                since=moment,
                timestamps=timestamps,
                notify=session.streams.note,
            )
        )


def _show(log: Iterable[LogChunk]) -> None:
    """Write each stream of the registry to the same one here."""
    out = {"stdout": sys.stdout.buffer, "stderr": sys.stderr.buffer}
    for chunk in log:
        stream = out[chunk.stream]
        stream.write(chunk.data)
        stream.flush()


def _show_as_json(log: Iterable[LogChunk]) -> None:
    from localreg.output.logs import JsonLines  # noqa: PLC0415 -- for --json only

    lines = JsonLines()
    for chunk in log:
        sys.stdout.writelines(lines.lines_of(chunk))
        sys.stdout.flush()
    sys.stdout.writelines(lines.rest())
