"""Closing tunnels."""

from __future__ import annotations

from collections.abc import Sequence

from localreg.command_line import CommandLine
from localreg.errors import TunnelError
from localreg.tunnels.files import TunnelFiles, wait_for_end
from localreg.tunnels.keep import control
from localreg.tunnels.spec import TunnelStatus

_CLOSE_SECONDS = 10.0
"""How long a process may take to end `ssh` and itself."""


def close_tunnels(found: Sequence[tuple[TunnelFiles, TunnelStatus]]) -> None:
    """Close tunnels, and wait until they are.

    Raises:
        TunnelError: a process cannot be ended.
    """
    for files, status in found:
        if status.state != "unknown":
            control.ask(files.control, control.CLOSE)
    for files, status in found:
        if status.state != "unknown" and wait_for_end(files, seconds=_CLOSE_SECONDS):
            continue
        # It does not hear: what is marked as the tunnel's is ended without it.
        files.end_processes()
        if not wait_for_end(files, seconds=_CLOSE_SECONDS):
            raise TunnelError(
                f"the process of the tunnel to {status.spec.host} cannot be ended", hint=CommandLine("tunnel", "ls")
            )
