"""Unix sockets with the standard library: enough to ask an engine who it is."""

from __future__ import annotations

import http.client
import socket
import struct


class UnixHTTPConnection(http.client.HTTPConnection):
    """A connection to the server that listens on a Unix socket."""

    def __init__(self, path: str, *, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path
        self._seconds = timeout

    def connect(self) -> None:
        """Connect to the socket instead of a host."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self._seconds)
        self.sock.connect(self._path)


def listener(path: str, *, seconds: float) -> int:
    """The process ID of who listens on a Unix socket; Linux alone says it like this.

    Args:
        path: Of the socket.
        seconds: How long it may take to be connected.

    Raises:
        OSError: nobody listens.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(seconds)
        connection.connect(path)
        pid, _uid, _gid = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return int(pid)
