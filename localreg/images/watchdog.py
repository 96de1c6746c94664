"""A transfer that hangs: told from one that only takes long by asking both ends whether they still answer."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator
from typing import Generic, TypeVar

from localreg.errors import LocalregError

_T = TypeVar("_T")

LOOK_SECONDS = 3.0
"""After so much silence both ends are asked, and again each time."""
PATIENCE_SECONDS = 20.0
"""How long an end may be silent, while nothing moves, until it counts as hanging."""


class _Worker(Generic[_T]):
    """Iterates in a thread of its own, so that whoever waits for the next item can do something else meanwhile."""

    def __init__(self, items: Iterator[_T]) -> None:
        self._items = items
        self._found: queue.SimpleQueue[tuple[_T] | BaseException] = queue.SimpleQueue()
        """Each item by itself in a tuple, and at the end why there is none any more."""
        self._is_over = threading.Event()
        # One that hangs ends with the process.
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            for item in self._items:
                if self._is_over.is_set():
                    break
                self._found.put((item,))
        except BaseException as exc:  # noqa: BLE001 -- handed to whoever waits
            self._found.put(exc)
        else:
            self._found.put(StopIteration())
        # Here and nowhere else: a generator cannot be closed by another thread while it runs.
        if isinstance(self._items, Generator):
            self._items.close()

    def give_up(self) -> None:
        """Take no more: what the items come from is closed after the next one."""
        self._is_over.set()

    def next(self, *, seconds: float) -> _T:
        """The next item.

        Raises:
            queue.Empty: it did not come in time.
            StopIteration: there is none any more.
        """
        found = self._found.get(timeout=seconds)
        if isinstance(found, BaseException):
            raise found
        return found[0]


def watched(items: Iterator[_T], find_silence: Callable[[float], LocalregError | None]) -> Iterator[_T]:
    """Hand on what an iterator yields, and give up when it hangs.

    Args:
        items: The steps of a transfer, which may be far apart.
        find_silence: Told for how many seconds nothing came: the error for an end that does not answer, None when all
            is well.

    Raises:
        LocalregError: the last of those that `find_silence` said all the time, all of one type.
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
            # The silence of one end says nothing of the other's.
            if type(error) is not silence:
                silence, silent_since = type(error), time.monotonic() - LOOK_SECONDS
            if time.monotonic() - silent_since >= PATIENCE_SECONDS:
                raise error from None
        else:
            yield item
            moved = time.monotonic()
            silence = None
