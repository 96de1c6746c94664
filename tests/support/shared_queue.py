"""One queue of tests for several runs of pytest, each of which takes the next test when it has finished one.

An entry is one test, or all tests of a file that share an expensive fixture (`pytest.mark.together`). The slowest
(`pytest.mark.long`) come first. Tests that mostly wait (`pytest.mark.waits`) have a queue of their own: one run takes
them first and the others last, so that they run one at a time beside tests that keep the processors busy.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import cast

import pytest

ENGINES_RAN = "test_engines_ran.py"
"""Looks at what all others did: it is run alone, after them."""


def shared_queue() -> SharedQueue | None:
    """The queue that `tests/testbed/test` names; none where one pytest runs all."""
    folder = os.environ.get("LOCALREG_QUEUE")
    return SharedQueue(Path(folder)) if folder else None


class SharedQueue:
    """A plugin that takes tests from the queue.

    Args:
        folder: Shared by all runs, empty when the first begins.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add_engines(self, names: Iterable[str]) -> None:
        """Note that a test has passed on these engines."""
        for name in names:
            (self._folder / f"engine.{name}").touch()

    def engines(self) -> set[str]:
        """The engines that a test of any of the runs has passed on."""
        return {path.suffix.removeprefix(".") for path in self._folder.glob("engine.*")}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Order the tests, each run alike."""
        if len({item.path for item in items}) > 1:
            items[:] = [item for item in items if item.path.name != ENGINES_RAN]
        items.sort(key=lambda item: item.get_closest_marker("long") is None)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run what is taken, until there is no more."""
        if session.testsfailed:
            raise session.Interrupted(f"{session.testsfailed} errors during collection")
        for taken in self._taken(session.items):
            for item, following in zip(taken, [*taken[1:], None], strict=True):
                # What comes next is not known yet; what all tests share is kept for it.
                nextitem = following or cast("pytest.Item", session)
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=nextitem)
                if session.shouldfail:
                    raise session.Failed(session.shouldfail)
                if session.shouldstop:
                    raise session.Interrupted(session.shouldstop)
        return True

    def _taken(self, items: Sequence[pytest.Item]) -> Iterator[Sequence[pytest.Item]]:
        waiting = [item for item in items if item.get_closest_marker("waits")]
        busy = [item for item in items if not item.get_closest_marker("waits")]
        with (self._folder / "waits.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                queues = [busy, waiting]
            else:
                queues = [waiting, busy]
            for queue in queues:
                yield from self._taken_from(queue)

    def _taken_from(self, items: Sequence[pytest.Item]) -> Iterator[Sequence[pytest.Item]]:
        entries = [list(group) for _, group in groupby(items, _entry)]
        # A run that found other tests counts in another file, so that no test is left out.
        found = hashlib.sha256("\n".join(item.nodeid for item in items).encode()).hexdigest()
        while (number := self._next(self._folder / f"next.{found}")) < len(entries):
            yield entries[number]

    def _next(self, counter: Path) -> int:
        with counter.open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            number = len(file.read())
            file.write(".")
            return number


def _entry(item: pytest.Item) -> str:
    return str(item.path) if item.get_closest_marker("together") else item.nodeid
