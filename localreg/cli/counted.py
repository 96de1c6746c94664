"""Counting what a copy sends, for its result."""

from __future__ import annotations

from localreg.places.port import Watcher


class Counted:
    """Counts the bytes that are sent.

    Args:
        watcher: Is told the same.
    """

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher
        self.sent = 0

    def begin(self, total: int) -> None:
        """So many bytes are to be sent."""
        self.sent += total
        self._watcher.begin(total)

    def advance(self, count: int) -> None:
        """So many bytes more were sent."""
        self._watcher.advance(count)
