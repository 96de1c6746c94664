"""A lock that tells whether a garbage collection of a registry is at work, or was killed.

It holds among the processes of one user on one machine. The system releases it when the process ends for any reason.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
from collections.abc import Iterator
from typing import IO

from localreg.errors import ConflictError, LocalregError
from localreg.registry.container import Registry
from localreg.system.command_line import Sentence
from localreg.system.runtime_folder import possible_folders, runtime_folder
from localreg.system.waiting import wait_until

_FILE = "gc.lock"
"""One file for all registries, so that none is left behind for each; every registry has a byte of it."""


@contextlib.contextmanager
def collecting(registry: Registry) -> Iterator[None]:
    """Hold the lock of a registry.

    Raises:
        ConflictError: another process holds it.
    """
    with contextlib.ExitStack() as stack:
        file: IO[bytes] | None = None
        # Without a folder of this user, nothing tells: that is no reason not to collect.
        with contextlib.suppress(LocalregError, OSError):
            file = stack.enter_context((runtime_folder(_FILE) / _FILE).open("ab"))
        if file is not None and not _lock(file, registry):
            raise _at_work(registry)
        yield


def is_collected(registry: Registry) -> bool:
    """Another process holds the lock of a registry."""
    for folder in possible_folders():
        with contextlib.suppress(OSError), (folder / _FILE).open("r+b") as file:
            if not _lock(file, registry):
                return True
    return False


def await_collection(registry: Registry, *, seconds: float) -> None:
    """Wait until no other process holds the lock of a registry.

    Raises:
        ConflictError: it took longer.
    """
    if not wait_until(lambda: not is_collected(registry), seconds=seconds):
        raise _at_work(registry)


def _at_work(registry: Registry) -> ConflictError:
    return ConflictError(
        f"another `localreg gc` is at work on registry `{registry.container.name}`",
        hint=Sentence("wait until it has ended, or stop it with Ctrl-C"),
    )


def _lock(file: IO[bytes], registry: Registry) -> bool:
    """Lock the registry's byte until the file is closed; returns whether no other process had."""
    place = int.from_bytes(hashlib.sha256(registry.container.id.encode()).digest()[:6])
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        # A file system without locks.
        return True
    return True
