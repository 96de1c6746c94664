"""Connections of urllib3 whose read time-out is for a whole answer."""

from __future__ import annotations

from urllib3.connection import HTTPConnection

from localreg.system.deadline import with_deadline


class DeadlineConnection(HTTPConnection):
    """Its read time-out counts from when an answer is first waited for, not from the last byte."""

    def connect(self) -> None:
        """Connect, then put the deadline over the socket."""
        super().connect()
        self.sock = with_deadline(self.sock)
