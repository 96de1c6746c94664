"""`localreg tunnel keep`: the process that keeps a tunnel open. `tunnel open` runs it; users do not."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Annotated

import typer

from localreg.cli.commands import Command, ReaderGoneError, command_app
from localreg.cli.session import Session, session_of
from localreg.errors import INTERRUPTED, TERMINATED
from localreg.output.live_line import LiveLine
from localreg.output.text import printable
from localreg.output.tunnel.keep import live_line, render_state
from localreg.output.tunnel.open import render
from localreg.tunnels.keep import process
from localreg.tunnels.spec import TunnelStatus

app = command_app()


@app.command(cls=Command, hidden=True)
def keep(
    context: typer.Context,
    lock: Annotated[int, typer.Option(help="Descriptor that holds the lock of the tunnel")],
    ready: Annotated[int | None, typer.Option(help="Descriptor to write to when the tunnel is open")] = None,
) -> None:
    """Keep a tunnel open."""
    session = session_of(context)
    display = _Display(session, ready)
    stops = _stops()
    try:
        stopped_by = process.keep(
            lock, background=ready is not None, changed=display.changed, log=display.log, stops=stops
        )
    finally:
        display.end()
    if stopped_by is not None:
        raise typer.Exit(INTERRUPTED if stopped_by == signal.SIGINT else TERMINATED)


def _stops() -> Iterator[int]:
    """Iterate over the signals that end the tunnel.

    The signal handlers only record a signal: one that interrupted the code could leave `ssh` behind. A pipe records
    it, because a Python handler may run too late if the signal arrives just before the main thread starts to wait.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # nohup ignores this signal; so does localreg then.
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda _number, _frame: None)
    return iter(lambda: os.read(reading, 1)[0], None)


class _Display:
    """Shows the state of the tunnel: a live line on a terminal, else a line per change; a log in the background."""

    def __init__(self, session: Session, ready: int | None) -> None:
        self._session = session
        self._ready = ready
        self._was_open = False
        self._line = LiveLine() if ready is None and session.streams.shows_progress else None

    def changed(self, status: TunnelStatus) -> None:
        """Show a new state."""
        if not self._was_open and status.opened is not None:
            self._was_open = True
            if self._line is not None:
                self._line.clear()
            if self._ready is None:
                self._show_open(status)
            else:
                # The reader may be gone already.
                with suppress(ReaderGoneError, BrokenPipeError):
                    self._show_open(status)
                process.detach(self._ready, process.kept_files().log)
        elif self._ready is None and self._line is None:
            self._session.streams.note(render_state(status))
        if self._line is not None:
            self._line.show(lambda width: live_line(status, width=width))

    def _show_open(self, status: TunnelStatus) -> None:
        self._session.streams.show(render(status))
        if status.state != "open":
            self._session.streams.note(f"open, {status.state}: {status.reason}")

    def log(self, text: str) -> None:
        """Log an event."""
        if self._ready is not None:
            process.write_log(process.kept_files().log, printable(text))
        elif self._session.debug:
            self.end()
            print(printable(text), file=sys.stderr, flush=True)  # noqa: T201 -- asked for with --debug

    def end(self) -> None:
        """Restore the terminal."""
        if self._line is not None:
            self._line.clear()
