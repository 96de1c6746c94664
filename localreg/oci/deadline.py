"""A time-out for a whole response, so that a server that sends a byte now and then cannot block localreg for ever.

`http.client` reads the headers itself, so a clock in our own read loop would not cover them. The socket has the clock.
"""

from __future__ import annotations

import socket
import ssl
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    _Socket = socket.socket
else:
    # What the class of a connection can be changed to has no fields of its own.
    _Socket = object


def with_deadline(connected: socket.socket) -> socket.socket:
    """The same connection, with a time-out for a whole response."""
    timeout = connected.gettimeout()
    found: socket.socket
    if isinstance(connected, ssl.SSLSocket):
        # It cannot be made from the descriptor of another: it would lose the session.
        connected.__class__ = _DeadlineTlsSocket
        found = connected
    else:
        found = _DeadlineSocket(fileno=connected.detach())
    found.settimeout(timeout)
    return found


class _Deadline(_Socket):
    """Counts its time-out from when it is set, which an HTTP library does before each response."""

    __slots__ = ()
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


class _DeadlineSocket(_Deadline, socket.socket):
    """A plain connection."""


class _DeadlineTlsSocket(_Deadline, ssl.SSLSocket):
    """A connection with TLS."""
