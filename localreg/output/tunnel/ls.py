"""The result of `tunnel ls`."""

from __future__ import annotations

from collections.abc import Sequence

from localreg.output.streams import Renderings
from localreg.output.table import columns
from localreg.output.text import printable
from localreg.output.tunnel.status import state_line, time_ago, tunnel_json
from localreg.tunnels.spec import TunnelStatus


def render(found: Sequence[TunnelStatus]) -> Renderings:
    """Lay out the open tunnels."""

    def table(width: int) -> str:
        if not found:
            return "No tunnel is open"
        rows = [
            (
                status.spec.host,
                status.spec.remote,
                status.spec.location,
                state_line(status),
                time_ago(status.since),
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
    return f"{printable(push.reference)}, {time_ago(push.at)}" if push else ""
