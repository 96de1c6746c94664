"""Talking with the process that keeps a tunnel: a word on its socket, an answer in one line."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from pathlib import Path

STATUS = "status"
CLOSE = "close"
_ASK_SECONDS = 6.0
"""How long the process may take: it looks whether the registry answers before it says so."""
_HEAR_SECONDS = 2.0
_LONGEST = 1 << 20


def ask(path: Path, word: str) -> str | None:
    """Say a word to the process; None where nobody answers."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_ASK_SECONDS)
            connection.connect(str(path))
            connection.sendall(f"{word}\n".encode())
            with connection.makefile("r", encoding="utf-8") as answer:
                return answer.readline(_LONGEST) or None
    except (OSError, UnicodeDecodeError):
        return None


class ControlServer:
    """Answers on a socket, on threads of its own: who is slow holds up nobody else."""

    def __init__(self, path: Path, answer: Callable[[str], str]) -> None:
        self._path = path
        self._answer = answer
        path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._serve, name="control", daemon=True).start()

    def close(self) -> None:
        """Listen no more."""
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
                word = asked.readline(_LONGEST).strip()
            connection.sendall(f"{self._answer(word)}\n".encode())
