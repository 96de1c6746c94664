"""Telling a hanging transfer from a slow one: if nothing moves, both ends are checked."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator
from typing import Generic, TypeVar

from localreg.errors import LocalregError

_T = TypeVar("_T")

LOOK_SECONDS = 3.0
"""How long nothing may move until both ends are checked, and between checks."""
PATIENCE_SECONDS = 20.0
"""How long an end may not respond, while nothing moves, until the transfer fails."""


class _Worker(Generic[_T]):
    """Iterates in a thread of its own, so that waiting for the next item can time out."""

    def __init__(self, items: Iterator[_T]) -> None:
        self._items = items
        self._found: queue.SimpleQueue[tuple[_T] | BaseException] = queue.SimpleQueue()
        """Each item as a tuple of one, then the reason for the end."""
        self._is_over = threading.Event()
        # A hanging iterator ends with the process.
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            for item in self._items:
                if self._is_over.is_set():
                    break
                self._found.put((item,))
        except BaseException as exc:  # noqa: BLE001 -- handed to the waiting thread
            self._found.put(exc)
        else:
            self._found.put(StopIteration())
        # Only here: another thread cannot close a running generator.
        if isinstance(self._items, Generator):
            self._items.close()

    def give_up(self) -> None:
        """Stop iterating; the iterator is closed after its next item."""
        self._is_over.set()

    def next(self, *, seconds: float) -> _T:
        """The next item.

        Raises:
            queue.Empty: it did not come in time.
            StopIteration: there are no more.
        """
        found = self._found.get(timeout=seconds)
        if isinstance(found, BaseException):
            raise found
        return found[0]


def watched(items: Iterator[_T], find_silence: Callable[[float], LocalregError | None]) -> Iterator[_T]:
    """Yield the items of an iterator, and fail if it hangs.

    Args:
        items: The steps of a transfer, which may be far apart.
        find_silence: Gets the seconds since the last item. Returns the error for an end that does not respond, or None
            if both ends respond.

    Raises:
        LocalregError: the last error of `find_silence`, if it kept returning errors of one type for too long.
    """
    worker = _Worker(items)
    try:
        yield from _watched(worker, find_silence)
    finally:
        worker.give_up()


def _watched(worker: _Worker[_T], find_silence: Callable[[float], LocalregError | None]) -> Iterator[_T]:
    moved = time.monotonic()
    silence: type[LocalregError] | None = None
    silent_since = 0.0
    while True:
        try:
            item = worker.next(seconds=LOOK_SECONDS)
        except StopIteration:
            return
        except queue.Empty:
            error = find_silence(time.monotonic() - moved)
            if error is None:
                silence = None
                continue
            # The two ends are timed separately.
            if type(error) is not silence:
                silence, silent_since = type(error), time.monotonic() - LOOK_SECONDS
            if time.monotonic() - silent_since >= PATIENCE_SECONDS:
                raise error from None
        else:
            yield item
            moved = time.monotonic()
            silence = None
