"""What `tunnel` shows."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from localreg.output.block import block
from localreg.output.streams import Renderings
from localreg.output.table import columns
from localreg.output.text import ago, printable
from localreg.tunnels.spec import TunnelSpec, TunnelStatus


def render_open(status: TunnelStatus, *, already: bool = False) -> Renderings:
    """Lay out a tunnel that is open.

    Args:
        status: What its process says.
        already: It was open before.
    """
    spec = status.spec

    def table(width: int) -> str:
        facts = [("there", f"{_there(spec)}/NAME"), ("reach", _reach(spec))]
        if status.state != "open":
            facts.append(("state", _state(status)))
        facts.append(("close", close_command(spec) if status.log or already else "Ctrl-C"))
        if status.log:
            facts.append(("log", status.log))
        return block(_headline(status, already=already), facts, width=width)

    return Renderings(
        table=table,
        plain=lambda: f"{spec.host}\t{spec.remote}",
        quiet=lambda: spec.host,
        json=lambda: {"action": "already open" if already else "opened", "tunnel": tunnel_json(status)},
    )


def close_command(spec: TunnelSpec) -> str:
    """What closes a tunnel."""
    return f"localreg tunnel close {shlex.quote(spec.host)}"


def _headline(status: TunnelStatus, *, already: bool) -> str:
    spec = status.spec
    opened = f", opened {_ago(status.opened)}" if already and status.opened else ""
    return f"Tunnel{' already' if already else ''} open: {spec.host} reaches registry {spec.location}{opened}"


def _there(spec: TunnelSpec) -> str:
    """What references begin with on the far side."""
    if spec.probe_url:
        return spec.probe_url.partition("://")[2].rstrip("/")
    return f"localhost:{spec.remote_port}"


def _reach(spec: TunnelSpec) -> str:
    if spec.probe_url:
        return f"everybody whom `{spec.host}` lets through"
    return f"everybody who reaches {spec.bind} of {spec.host}" if spec.exposed else f"{spec.host} only ({spec.bind})"


def _state(status: TunnelStatus) -> str:
    return f"{status.state}{f': {printable(status.reason)}' if status.reason else ''}"


def live_line(status: TunnelStatus, *, width: int) -> str:
    """What a terminal shows while a tunnel is kept; of too little room the least important is left out.

    Args:
        status: What is known.
        width: Columns of the terminal.
    """
    since = f" since {_clock(status.since)}" if status.since else ""
    parts = [f"{status.state}{since}{f': {printable(status.reason)}' if status.reason else ''}"]
    if status.last_push:
        parts.append(f"last push {printable(status.last_push.reference)} at {_clock(status.last_push.at)}")
    if status.reconnects:
        parts.append(f"{status.reconnects} reconnect{'' if status.reconnects == 1 else 's'}")
    while len(parts) > 1 and len(" · ".join(parts)) >= width:
        parts.pop()
    line = " · ".join(parts)
    # The last column stays free: a terminal may go to the next line behind it.
    return line if len(line) < width else f"{line[: width - 2]}…"


def _clock(moment: str) -> str:
    """A time as a clock on this machine's wall shows it."""
    return f"{datetime.fromisoformat(moment).astimezone():%H:%M}"


def render_state(status: TunnelStatus) -> str:
    """A change of a tunnel in one line, where no terminal shows it."""
    push = f"; last push {printable(status.last_push.reference)}" if status.last_push and not status.reason else ""
    return f"tunnel to {status.spec.host}: {_state(status)}{push}"


def render_list(found: Sequence[TunnelStatus]) -> Renderings:
    """Lay out the tunnels that are kept."""

    def table(width: int) -> str:
        if not found:
            return "No tunnel is open"
        rows = [
            (
                status.spec.host,
                status.spec.remote,
                status.spec.location,
                _state(status),
                _ago(status.since),
                str(status.reconnects),
                _push(status),
            )
            for status in found
        ]
        headings = ("HOST", "THERE", "REGISTRY", "STATE", "SINCE", "RECONNECTS", "LAST PUSH")
        return columns(
            headings, rows, width=width, right=frozenset({"RECONNECTS"}), spare=("RECONNECTS", "REGISTRY", "LAST PUSH")
        )

    return Renderings(
        table=table,
        plain=lambda: "\n".join("\t".join(_plain(status)) for status in found),
        quiet=lambda: "\n".join(status.spec.host for status in found),
        json=lambda: {"tunnels": [tunnel_json(status) for status in found]},
    )


def render_closed(closed: Sequence[TunnelStatus]) -> Renderings:
    """Lay out the tunnels that were closed."""
    return Renderings(
        table=lambda _width: (
            "\n".join(f"Tunnel to {status.spec.host} closed" for status in closed) or "No tunnel was open"
        ),
        plain=lambda: "\n".join(f"{status.spec.host}\t{status.spec.remote}" for status in closed),
        quiet=lambda: "\n".join(status.spec.host for status in closed),
        json=lambda: {"closed": [{"host": one.spec.host, "remote": one.spec.remote} for one in closed]},
    )


def tunnel_json(status: TunnelStatus) -> dict[str, Any]:
    """A tunnel."""
    spec = status.spec
    return {
        "host": spec.host,
        "remote": spec.remote,
        "remote_port": spec.remote_port,
        "exposed": spec.exposed,
        "registry": spec.location,
        "name": spec.registry,
        "state": status.state,
        "reason": status.reason,
        "opened": status.opened,
        "since": status.since,
        "reconnects": status.reconnects,
        "last_push": None
        if status.last_push is None
        else {"reference": status.last_push.reference, "at": status.last_push.at},
        "pid": status.pid,
        "log": status.log,
    }


def _plain(status: TunnelStatus) -> tuple[str, ...]:
    push = status.last_push
    return (
        status.spec.host,
        status.spec.remote,
        status.spec.location,
        status.state,
        status.since or "",
        str(status.reconnects),
        printable(push.reference) if push else "",
        push.at if push else "",
    )


def _push(status: TunnelStatus) -> str:
    push = status.last_push
    return f"{printable(push.reference)}, {_ago(push.at)}" if push else ""


def _ago(moment: str | None) -> str:
    return ago(datetime.fromisoformat(moment) if moment else None, now=datetime.now(UTC))
