"""Waits that a registry asks for: 429 and 503 with `Retry-After`, or without it, ever longer ones."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from threading import Lock

from localreg.oci.access import Access

_ATTEMPTS = 6
_FIRST = 1.0
"""Seconds of the first wait without `Retry-After`; each further one is twice as long."""
_LONGEST = 300.0
"""The most seconds that localreg waits at once."""


class Pacing:
    """The waits of all threads that talk to one registry.

    Args:
        access: Is told of each wait.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        self._until = 0.0
        self._lock = Lock()

    def wait(self) -> None:
        """Wait until the registry wants requests again."""
        while (left := self._until - time.monotonic()) > 0:
            time.sleep(left)

    def postpone(self, headers: Mapping[str, str], attempt: int) -> bool:
        """Note that the registry asks to wait.

        Args:
            headers: Those of its answer.
            attempt: How often it asked for this request before.

        Returns:
            False if it asks for too much: then it is an error.
        """
        seconds = retry_after(headers)
        if seconds is None:
            seconds = _FIRST * 2**attempt
        if attempt == _ATTEMPTS or seconds > _LONGEST:
            return False
        with self._lock:
            until = time.monotonic() + seconds
            is_news = until > self._until + 0.5
            self._until = max(self._until, until)
        if is_news and seconds > 0:
            self._access.on_wait(self._access.host, seconds)
        return True


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that `Retry-After` asks for, as a number or a date; None without a valid one."""
    text = (headers.get("Retry-After") or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return max((date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds(), 0.0)
