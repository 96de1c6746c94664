"""A tunnel's state, as the results of several commands show it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from localreg.output.text import ago, printable
from localreg.tunnels.spec import TunnelStatus


def state_line(status: TunnelStatus) -> str:
    """The state of a tunnel, and why it is not open."""
    return f"{status.state}{f': {printable(status.reason)}' if status.reason else ''}"


def tunnel_json(status: TunnelStatus) -> dict[str, Any]:
    """A tunnel as JSON."""
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


def time_ago(moment: str | None) -> str:
    """How long ago a moment of RFC 3339 was; empty for None."""
    return ago(datetime.fromisoformat(moment) if moment else None, now=datetime.now(UTC))
