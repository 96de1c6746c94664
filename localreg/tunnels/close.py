"""Closing tunnels."""

from __future__ import annotations

from collections.abc import Sequence

from localreg.errors import TunnelError
from localreg.system.command_line import CommandLine
from localreg.tunnels.files import TunnelFiles, wait_for_end
from localreg.tunnels.keep import control
from localreg.tunnels.spec import TunnelStatus

_CLOSE_SECONDS = 10.0
"""How long a process gets to end `ssh` and itself."""


def close_tunnels(found: Sequence[tuple[TunnelFiles, TunnelStatus]]) -> None:
    """Close tunnels, and wait until they are closed.

    Raises:
        TunnelError: a process cannot be ended.
    """
    for files, status in found:
        if status.state != "unknown":
            control.ask(files.control, control.CLOSE)
    for files, status in found:
        if status.state != "unknown" and wait_for_end(files, seconds=_CLOSE_SECONDS):
            continue
        # The process does not respond, so end everything that has the tunnel's mark.
        files.end_processes()
        if not wait_for_end(files, seconds=_CLOSE_SECONDS):
            raise TunnelError(
                f"cannot end the process of the tunnel to {status.spec.host}", hint=CommandLine("tunnel", "ls")
            )
