"""A time-out for a whole answer: a server that sends a byte now and then cannot hold us for ever.

`http.client` reads the headers of an answer by itself, so a clock in our own loops would not see them arrive. The
socket looks at it.
"""

from __future__ import annotations

import socket
import time
from typing import Any


def with_deadline(connected: socket.socket) -> socket.socket:
    """The same connection, whose time-out is for a whole answer."""
    timeout = connected.gettimeout()
    found = _DeadlineSocket(fileno=connected.detach())
    found.settimeout(timeout)
    return found


class _DeadlineSocket(socket.socket):
    """Receives until its time-out has passed since it was set, which an HTTP library does before each answer."""

    _until: float | None = None

    def settimeout(self, value: float | None, /) -> None:
        """Begin to count."""
        super().settimeout(value)
        self._until = None if value is None else time.monotonic() + value

    def recv_into(self, *arguments: Any) -> int:
        """Receive in the time that is left."""
        if self._until is not None:
            left = self._until - time.monotonic()
            if left <= 0:
                raise TimeoutError("the answer took too long")
            super().settimeout(left)
        return super().recv_into(*arguments)
