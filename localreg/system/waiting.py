"""Waiting for something by asking for it again and again, never by guessing how long it takes."""

from __future__ import annotations

import time
from collections.abc import Callable

_FIRST_PAUSE = 0.02
_LONGEST_PAUSE = 0.25


def wait_until(answers: Callable[[], bool], *, seconds: float, is_alive: Callable[[], bool] = lambda: True) -> bool:
    """Ask again and again, ever more slowly, until the answer is yes.

    Args:
        answers: The question; takes at most a few seconds each time.
        seconds: How long at most.
        is_alive: Asked between two attempts; when it says no there is nothing left to wait for.

    Returns:
        Whether the answer was yes in time.
    """
    deadline = time.monotonic() + seconds
    pause = _FIRST_PAUSE
    while not answers():
        if deadline - time.monotonic() <= pause or not is_alive():
            return False
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)
    return True
