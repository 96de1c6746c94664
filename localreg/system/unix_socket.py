"""Unix sockets with the standard library: enough to ask an engine who it is."""

from __future__ import annotations

import http.client
import socket
import struct
from pathlib import Path

_CONNECTED = ("02", "03")
"""Connecting, which is not accepted yet, and connected."""


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


def find_listener(path: str, *, seconds: float) -> int:
    """The process ID of who listens on a Unix socket; Linux alone says it like this.

    Args:
        path: Of the socket.
        seconds: How long it may take to be connected.

    Raises:
        OSError: nobody listens, or somebody whose ID cannot be told here.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(seconds)
        connection.connect(path)
        pid, _uid, _gid = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    # To a signal these are groups of processes, this one's own among them.
    if pid <= 0:
        raise ProcessLookupError(f"{path}: who listens there is in another process namespace")
    return int(pid)


def count_connections(path: str) -> int:
    """How many are connected to a Unix socket, or about to be, from this network namespace; Linux alone says it so.

    Args:
        path: As its listener named it.

    Raises:
        OSError: the system does not tell.
    """
    # `man 5 proc`: the sixth column is the state, the eighth the path, which a client's end does not have.
    lines = Path("/proc/net/unix").read_text(errors="surrogateescape").splitlines()
    return sum(fields[5] in _CONNECTED for fields in (line.split(maxsplit=7) for line in lines) if fields[7:] == [path])


def count_own_connections(path: str) -> int:
    """How many of them are this process's.

    Args:
        path: As its listener named it.

    Raises:
        OSError: the system does not tell.
    """
    return sum(_peer(int(entry.name)) == path for entry in Path("/proc/self/fd").iterdir())


def _peer(descriptor: int) -> object:
    """The address of a socket's other end; None for what is no socket, or is not connected."""
    try:
        end = socket.socket(fileno=descriptor)
    except OSError:
        return None
    try:
        return end.getpeername()
    except OSError:
        return None
    finally:
        # It is somebody else's to close.
        end.detach()
