"""Kills a function right before each change that it makes to files, and each program that it starts."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

_CHANGES = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "subprocess.Popen")


def killed_at_each_change(prepare: Callable[[], None], act: Callable[[], None]) -> Iterator[int]:
    """Yield after each kill, as long as there is a further change to kill at.

    Args:
        prepare: Makes the state before.
        act: Is killed, in a process of its own.
    """
    for number in range(1000):
        prepare()
        child = os.fork()
        if child == 0:
            try:
                _kill_before(number)
                act()
            finally:
                os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            assert number > 0, "nothing was changed"
            return
        yield number
    raise AssertionError("it does not end")


def _kill_before(number: int) -> None:
    left = [number]

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        is_open = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if event in _CHANGES or is_open:
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left[0] -= 1

    sys.addaudithook(watch)
