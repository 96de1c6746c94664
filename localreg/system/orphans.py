"""Ending the processes that a program leaves behind, such as the build step of a Podman that was told to end.

A process whose parent is gone gets a new parent: the nearest ancestor that asked for orphans, else `init`. localreg
asks for them while a builder runs, and so finds the builder's. See prctl(2), PR_SET_CHILD_SUBREAPER.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PROC = Path("/proc")


@contextlib.contextmanager
def adopted_orphans() -> Iterator[Callable[[], None]]:
    """Adopt the orphans of programs that are started in this context; the function that it gives ends them all."""
    if sys.platform != "linux":
        yield lambda: None
        return
    before = set(_children())
    library = ctypes.CDLL(None)
    library.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield lambda: _end_all(before)
    finally:
        library.prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def ending_with_us() -> Callable[[], None] | None:
    """A `preexec_fn` that makes a child end if localreg is killed; None on systems without one.

    The kernel acts when the thread that started the child ends, so that thread must last.
    """
    if sys.platform != "linux":
        return None
    library, parent = ctypes.CDLL(None), os.getpid()

    def follow() -> None:
        library.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM.value, 0, 0, 0)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGTERM)

    return follow


def _end_all(spared: set[int]) -> None:
    """Kill the orphans; the children of each become ours as soon as it is gone."""
    while left := [pid for pid, group in _children().items() if pid not in spared and _is_of_builder(pid, group)]:
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except PermissionError:
                spared = {*spared, pid}
                continue
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


def _children() -> dict[int, int]:
    """Our children, and the process group of each."""
    found = {}
    for folder in _PROC.glob("[0-9]*"):
        # A process may end while it is read. Its name, in parentheses, can have any character.
        with contextlib.suppress(OSError):
            _state, parent, group, *_ = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
            if int(parent) == os.getpid():
                found[int(folder.name)] = int(group)
    return found


def _is_of_builder(pid: int, group: int) -> bool:
    """It is in our process group, or the first process of a container.

    Neither is true for a Podman service, which must outlive localreg, and for the process that holds rootless Podman's
    namespaces.
    """
    return group == os.getpgrp() or _depth(pid) > _depth(os.getpid())


def _depth(pid: int) -> int:
    """The number of process namespaces that it is in."""
    with contextlib.suppress(OSError):
        for line in (_PROC / str(pid) / "status").read_text(errors="replace").splitlines():
            if line.startswith("NSpid:"):
                return len(line.split()) - 1
    return 0
