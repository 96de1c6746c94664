"""Waiting until a condition is true by checking it repeatedly."""

from __future__ import annotations

import time
from collections.abc import Callable

_FIRST_PAUSE = 0.02
_LONGEST_PAUSE = 0.25


def wait_until(answers: Callable[[], bool], *, seconds: float, is_alive: Callable[[], bool] = lambda: True) -> bool:
    """Check a condition, less and less often, until it is true.

    Args:
        answers: The condition; a check takes a few seconds at most.
        seconds: The longest wait.
        is_alive: Checked in between; if it is false, the wait is over.

    Returns:
        The condition became true in time.
    """
    deadline = time.monotonic() + seconds
    pause = _FIRST_PAUSE
    while not answers():
        if deadline - time.monotonic() <= pause or not is_alive():
            return False
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)
    return True
