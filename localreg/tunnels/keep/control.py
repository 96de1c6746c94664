"""The control socket of a tunnel's process: one command, one line in response."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from pathlib import Path

STATUS = "status"
CLOSE = "close"
_ASK_SECONDS = 6.0
"""Timeout of a command; the process first checks that the registry answers."""
_HEAR_SECONDS = 2.0
_LONGEST = 1 << 20


def ask(path: Path, command: str) -> str | None:
    """Send a command to the process; None if it does not respond."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_ASK_SECONDS)
            connection.connect(str(path))
            connection.sendall(f"{command}\n".encode())
            with connection.makefile("r", encoding="utf-8") as answer:
                return answer.readline(_LONGEST) or None
    except (OSError, UnicodeDecodeError):
        return None


class ControlServer:
    """Responds to commands on a socket, each in its own thread, so that a slow client does not delay others."""

    def __init__(self, path: Path, answer: Callable[[str], str]) -> None:
        self._path = path
        self._answer = answer
        path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._serve, name="control", daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(connection,), name="control", daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError, UnicodeDecodeError):
            connection.settimeout(_HEAR_SECONDS)
            with connection.makefile("r", encoding="utf-8") as asked:
                command = asked.readline(_LONGEST).strip()
            connection.sendall(f"{self._answer(command)}\n".encode())
