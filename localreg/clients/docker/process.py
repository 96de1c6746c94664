"""The process of the Docker daemon on this machine: its command line, and having it read its configuration again."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from localreg.clients.port import Machine

_PROGRAM = "dockerd"


@dataclass(frozen=True, slots=True)
class Daemon:
    """The process of a Docker daemon."""

    pid: int
    arguments: Sequence[str]

    def option(self, name: str) -> str | None:
        """The value of an option on its command line; None without it."""
        for at, word in enumerate(self.arguments):
            if word == f"--{name}":
                return next(iter(self.arguments[at + 1 :]), "")
            if word.startswith(f"--{name}="):
                return word.partition("=")[2]
        return None

    def reload(self) -> None:
        """Have it read its daemon.json again; it goes on with all that it does.

        Raises:
            OSError: this user may not send it a signal, or it has ended.
        """
        os.kill(self.pid, signal.SIGHUP)


def find_daemon(machine: Machine, *, rootless: bool) -> Daemon | None:
    """Find the daemon by its pid file; None if it has none in the usual place."""
    runtime = machine.environ.get("XDG_RUNTIME_DIR", "/run/user/-")
    folder = Path(runtime) if rootless else machine.root / "var/run"
    try:
        pid = int((folder / "docker.pid").read_text())
        about = machine.root / "proc" / str(pid)
        # Another process may have the number of a daemon that was killed.
        if (about / "comm").read_text().strip() != _PROGRAM:
            return None
        words = (about / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except (OSError, ValueError):
        return None
    return Daemon(pid, tuple(words[1:]))
