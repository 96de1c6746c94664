"""What a command is doing, on the last line of a terminal, once that takes longer than half a second."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Self

from localreg.output.live_line import LiveLine

_SECONDS = 0.5
"""Until the line appears, and between its changes."""


class Waiting:
    """Shows what a command is doing while it lasts, with the seconds.

    Args:
        doing: A part of a sentence, such as `reading the registry`.
        shown: Something can be shown.
    """

    def __init__(self, doing: str, *, shown: bool) -> None:
        self._doing = doing
        self._line = LiveLine()
        self._lock = threading.Lock()
        self._is_visible = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True) if shown else None

    def __enter__(self) -> Self:
        if self._thread is not None:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        self._hide()

    def say(self, doing: str) -> None:
        """Something else is being done now."""
        self._doing = doing

    def above(self, write: Callable[[], None]) -> None:
        """Write something to stderr, above the line."""
        with self._lock:
            self._hide()
            write()

    def noting(self, write: Callable[[str], None]) -> Callable[[str], None]:
        """A function that writes a text to stderr in this way, above the line."""
        return lambda text: self.above(partial(write, text))

    def _run(self) -> None:
        began = time.monotonic()
        while not self._ended.wait(_SECONDS):
            with self._lock:
                self._is_visible = True
                self._line.show(partial(_cut, f"{self._doing}, {time.monotonic() - began:.0f} s"))

    def _hide(self) -> None:
        if self._is_visible:
            self._line.clear()
            self._is_visible = False


def _cut(text: str, width: int) -> str:
    # The last column stays free: a terminal may wrap after it.
    return text[: width - 1]
