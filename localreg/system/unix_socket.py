"""HTTP over a Unix socket, and the processes connected to one."""

from __future__ import annotations

import errno
import http.client
import socket
import struct
from pathlib import Path

_CONNECTED = ("02", "03")
"""States of a connection: not accepted yet, and connected."""


class UnixHTTPConnection(http.client.HTTPConnection):
    """A connection to the server that listens on a Unix socket."""

    def __init__(self, path: str, *, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path
        self._seconds = timeout

    def connect(self) -> None:
        """Connect to the Unix socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self._seconds)
        self.sock.connect(self._path)


def is_deserted(path: str) -> bool:
    """No process listens on a Unix socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        # One that is busy is not deserted: then this would have to wait.
        connection.settimeout(0)
        return connection.connect_ex(path) in (errno.ECONNREFUSED, errno.ENOENT)


def find_listener(path: str, *, seconds: float) -> int:
    """The ID of the process that listens on a Unix socket; Linux only.

    Args:
        path: The path of the socket.
        seconds: How long it may take to be connected.

    Raises:
        OSError: no process listens, or its ID is not visible here.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(seconds)
        connection.connect(path)
        pid, _uid, _gid = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    # As the target of a signal, 0 and below are groups of processes, ours among them.
    if pid <= 0:
        raise ProcessLookupError(f"{path}: the listener is in another process namespace")
    return int(pid)


def count_connections(path: str) -> int:
    """The number of connections to a Unix socket, also those not accepted yet, in this network namespace; Linux only.

    Args:
        path: As the listener spelled it.

    Raises:
        OSError: the system does not tell.
    """
    # proc(5): the sixth column is the state, the eighth the path, which a client's end lacks.
    lines = Path("/proc/net/unix").read_text(errors="surrogateescape").splitlines()
    return sum(fields[5] in _CONNECTED for fields in (line.split(maxsplit=7) for line in lines) if fields[7:] == [path])


def count_own_connections(path: str) -> int:
    """The number of them that belong to this process.

    Args:
        path: As the listener spelled it.

    Raises:
        OSError: the system does not tell.
    """
    return sum(_peer(int(entry.name)) == path for entry in Path("/proc/self/fd").iterdir())


def _peer(descriptor: int) -> object:
    """The address of a socket's other end; None if the descriptor is not a connected socket."""
    try:
        end = socket.socket(fileno=descriptor)
    except OSError:
        return None
    try:
        return end.getpeername()
    except OSError:
        return None
    finally:
        # Other code owns it and closes it.
        end.detach()
