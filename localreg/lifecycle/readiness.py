"""Whether a registry answers, found out by asking it; nothing else says that it does."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from urllib.parse import urlsplit

_FIRST_PAUSE = 0.02
_LONGEST_PAUSE = 0.25
_ASK_SECONDS = 2.0

_READY = (200, 401)
"""A registry that wants a login is ready too."""


def is_ready(base_url: str) -> bool:
    """Whether a registry answers `/v2/` at this URL, asked directly, never through a proxy.

    Args:
        base_url: `http://host:port`.
    """
    parts = urlsplit(base_url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_ASK_SECONDS)
    try:
        connection.request("GET", "/v2/")
        answer = connection.getresponse()
    except (OSError, http.client.HTTPException):
        return False
    else:
        # Some servers answer 200 to everything; only a registry says which API it speaks.
        return answer.status in _READY and "Docker-Distribution-Api-Version" in answer.headers
    finally:
        connection.close()


def wait_until(answers: Callable[[], bool], *, seconds: float, is_alive: Callable[[], bool]) -> bool:
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
