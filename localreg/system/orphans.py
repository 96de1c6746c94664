"""Ending what a program leaves behind: Podman that is told to end does not wait for the step of a build that runs.

What was started by a process that is gone belongs to the nearest ancestor that asked for it, else to `init`. localreg
asks for it while a builder runs, and knows what is the builder's then. See prctl(2), PR_SET_CHILD_SUBREAPER.
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
    """What is started in here, and loses its parent, becomes a child of ours; what is given ends all of it."""
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
    """What a child does before it becomes another program, so that it is told to end when we are killed.

    The kernel tells it when the thread that started it is gone: that has to be one that lasts.
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
    """Kill them; the children of each are ours as soon as it is gone."""
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
        # A process may end while it is looked at; its name, in parentheses, may have any character.
        with contextlib.suppress(OSError):
            _state, parent, group, *_ = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
            if int(parent) == os.getpid():
                found[int(folder.name)] = int(group)
    return found


def _is_of_builder(pid: int, group: int) -> bool:
    """It is in our process group, or the first process of a container.

    A Podman service, which is to outlive us, and the process that keeps rootless Podman's namespaces are neither.
    """
    return group == os.getpgrp() or _depth(pid) > _depth(os.getpid())


def _depth(pid: int) -> int:
    """In how many namespaces of processes it has a number."""
    with contextlib.suppress(OSError):
        for line in (_PROC / str(pid) / "status").read_text(errors="replace").splitlines():
            if line.startswith("NSpid:"):
                return len(line.split()) - 1
    return 0
