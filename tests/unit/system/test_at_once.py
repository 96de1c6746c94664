from __future__ import annotations

import threading
import time

import pytest

from localreg.system.at_once import do_at_once


@pytest.mark.parametrize("workers", [1, 3, 50])
def test_the_results_come_in_the_order_of_the_items(workers: int) -> None:
    assert do_at_once(str, range(20), workers=workers) == [str(number) for number in range(20)]


def test_several_are_done_at_once() -> None:
    meeting = threading.Barrier(4, timeout=20)
    assert sorted(do_at_once(lambda _: meeting.wait(), range(4), workers=4)) == [0, 1, 2, 3]


@pytest.mark.parametrize("workers", [1, 2])
def test_after_the_first_failure_no_item_begins(workers: int) -> None:
    begun: list[int] = []
    failed = threading.Event()

    def do(item: int) -> None:
        begun.append(item)
        if item == 1:
            failed.set()
            raise ValueError(item)
        if workers > 1:
            failed.wait(20)

    with pytest.raises(ValueError, match="1"):
        do_at_once(do, range(100), workers=workers)
    assert len(begun) < 10


def test_those_under_way_are_told_of_a_failure() -> None:
    stop = threading.Event()
    ended = threading.Event()

    def do(item: int) -> None:
        if item == 1:
            raise ValueError(item)
        assert stop.wait(20)
        ended.set()
        raise KeyError(item)

    # Only the first failure is told.
    with pytest.raises(ValueError, match="1"):
        do_at_once(do, range(2), workers=2, stop=stop)
    assert ended.is_set()


def test_one_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localreg.system.at_once._PATIENCE", 0.01)
    hanging = threading.Event()

    def do(item: int) -> bool:
        if item == 1:
            raise ValueError(item)
        return hanging.wait(60)

    began = time.monotonic()
    with pytest.raises(ValueError, match="1"):
        do_at_once(do, range(2), workers=2)
    hanging.set()
    assert time.monotonic() - began < 30
