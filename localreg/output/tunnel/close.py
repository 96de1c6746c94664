"""The result of `tunnel close`."""

from __future__ import annotations

from collections.abc import Sequence

from localreg.output.streams import Renderings
from localreg.tunnels.spec import TunnelStatus


def render(closed: Sequence[TunnelStatus]) -> Renderings:
    """Lay out the closed tunnels."""
    return Renderings(
        table=lambda _width: (
            "\n".join(f"Tunnel to {status.spec.host} closed" for status in closed) or "No tunnel was open"
        ),
        plain=lambda: "\n".join(f"{status.spec.host}\t{status.spec.remote}" for status in closed),
        quiet=lambda: "\n".join(status.spec.host for status in closed),
        json=lambda: {"closed": [{"host": one.spec.host, "remote": one.spec.remote} for one in closed]},
    )
