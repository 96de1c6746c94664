"""The state of a tunnel while it is kept open."""

from __future__ import annotations

from datetime import datetime

from localreg.output.text import counted, printable
from localreg.output.tunnel.status import state_line
from localreg.tunnels.spec import TunnelStatus


def live_line(status: TunnelStatus, *, width: int) -> str:
    """One line on a terminal about a tunnel; the least important parts are left out if there is no room.

    Args:
        status: As it is now.
        width: Columns of the terminal.
    """
    since = f" since {_clock(status.since)}" if status.since else ""
    parts = [f"{status.state}{since}{f': {printable(status.reason)}' if status.reason else ''}"]
    if status.last_push:
        parts.append(f"last push {printable(status.last_push.reference)} at {_clock(status.last_push.at)}")
    if status.reconnects:
        parts.append(counted(status.reconnects, "reconnect"))
    while len(parts) > 1 and len(" · ".join(parts)) >= width:
        parts.pop()
    line = " · ".join(parts)
    # The last column stays free: a terminal may wrap after it.
    return line if len(line) < width else f"{line[: width - 2]}…"


def _clock(moment: str) -> str:
    """A moment as local time, such as `14:05`."""
    return f"{datetime.fromisoformat(moment).astimezone():%H:%M}"


def render_state(status: TunnelStatus) -> str:
    """A change of a tunnel in one line, for a log or a pipe."""
    push = f"; last push {printable(status.last_push.reference)}" if status.last_push and not status.reason else ""
    return f"tunnel to {status.spec.host}: {state_line(status)}{push}"
