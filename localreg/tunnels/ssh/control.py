"""Requests to a running `ssh` through its control socket; see `-O` in ssh(1)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from localreg.system.programs import output_of
from localreg.system.ssh import destination
from localreg.tunnels.ssh.options import FORWARDING

_ORDER_SECONDS = 15.0
"""Timeout of one request to the other machine."""


@dataclass(frozen=True, slots=True)
class ControlSocket:
    """The control socket of an `ssh`."""

    path: Path
    host: str
    """As given to `tunnel open`."""

    def forward(self, *forward: str) -> bool:
        """Request a forwarding (`-L` or `-R`, and what); returns whether that succeeded."""
        return self._order("forward", forward)

    def cancel(self, *forward: str) -> bool:
        """End a forwarding; returns whether that succeeded."""
        return self._order("cancel", forward)

    def _order(self, order: str, forward: tuple[str, ...]) -> bool:
        control = ("-F", "none", "-S", str(self.path), "-O", order)
        words = ("ssh", *control, *FORWARDING, *forward, *destination(self.host))
        return output_of(*words, seconds=_ORDER_SECONDS) is not None
