"""One line of a terminal that is overwritten while a command waits."""

from __future__ import annotations

import contextlib
import shutil
import sys
import threading
from collections.abc import Callable

_CLEAR = "\r\033[K"


class LiveLine:
    """The last line on stderr; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def show(self, line: Callable[[int], str]) -> None:
        """Overwrite the line.

        Args:
            line: Takes the width of the terminal in columns.
        """
        self._write(f"{_CLEAR}{line(shutil.get_terminal_size().columns)}")

    def clear(self) -> None:
        """Erase the line."""
        self._write(_CLEAR)

    def _write(self, text: str) -> None:
        with self._lock, contextlib.suppress(OSError):
            sys.stderr.write(text)
            sys.stderr.flush()
