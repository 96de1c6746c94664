"""A time-out for a whole response, so that a server that sends a byte now and then cannot block localreg for ever.

`http.client` reads the headers itself, so a clock in our own read loop would not cover them. The socket has the clock.
"""

from __future__ import annotations

import socket
import time
from typing import Any


def with_deadline(connected: socket.socket) -> socket.socket:
    """The same connection, with a time-out for a whole response."""
    timeout = connected.gettimeout()
    found = _DeadlineSocket(fileno=connected.detach())
    found.settimeout(timeout)
    return found


class _DeadlineSocket(socket.socket):
    """Counts its time-out from when it is set, which an HTTP library does before each response."""

    _until: float | None = None

    def settimeout(self, value: float | None, /) -> None:
        """Set the time-out and start the clock."""
        super().settimeout(value)
        self._until = None if value is None else time.monotonic() + value

    def recv_into(self, *arguments: Any) -> int:
        """Receive within the time that is left."""
        if self._until is not None:
            left = self._until - time.monotonic()
            if left <= 0:
                raise TimeoutError("the answer took too long")
            super().settimeout(left)
        return super().recv_into(*arguments)
