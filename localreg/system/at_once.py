"""Work on several threads that neither a failure nor Ctrl-C waits for."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Event, Lock, Thread
from typing import TypeVar

_A = TypeVar("_A")
_T = TypeVar("_T")

_PATIENCE = 1.0
"""Seconds for what is under way after a failure. A request that hangs lasts much longer."""


def do_at_once(do: Callable[[_A], _T], items: Sequence[_A], *, workers: int, stop: Event | None = None) -> list[_T]:
    """Do something for each item, several at once.

    The first failure ends it: items that are left do not begin, and those under way get a second to end.

    Args:
        do: What to do.
        items: They begin in this order.
        workers: How many at once; one works on the thread of the caller.
        stop: Is set at a failure, so that those under way can end.

    Returns:
        The results, in the order of the items.

    Raises:
        Exception: the first that one of them raised.
    """
    if workers == 1:
        return [do(item) for item in items]
    results: dict[int, _T] = {}
    turn = Lock()
    left = iter(enumerate(items))

    def do_next() -> bool:
        with turn:
            following = next(left, None)
        if following is not None:
            results[following[0]] = do(following[1])
        return following is not None

    _work(do_next, min(workers, len(items)), stop or Event())
    return [results[number] for number in range(len(items))]


def _work(do_next: Callable[[], bool], workers: int, stop: Event) -> None:
    """Let each thread do what comes next, as long as there is more."""
    ends: SimpleQueue[BaseException | None] = SimpleQueue()

    def work() -> None:
        try:
            while not stop.is_set() and do_next():
                pass
        except BaseException as exc:  # noqa: BLE001 -- raised again by the caller's thread
            # In this order: what ends because of it is told after it.
            ends.put(exc)
            stop.set()
        else:
            ends.put(None)

    # At its end, the interpreter waits for all threads but daemons.
    threads = [Thread(target=work, daemon=True) for _ in range(workers)]
    is_done = False
    try:
        for thread in threads:
            thread.start()
        for error in (ends.get() for _ in threads):
            if error is not None:
                raise error
        is_done = True
    finally:
        if not is_done:
            stop.set()
            end = time.monotonic() + _PATIENCE
            for thread in filter(Thread.is_alive, threads):
                thread.join(max(end - time.monotonic(), 0))
