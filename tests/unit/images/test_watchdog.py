"""When a transfer counts as hanging."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from localreg.errors import EngineError, EngineLostError, LocalregError, RegistryUnreachableError
from localreg.images import watchdog
from localreg.images.watchdog import watched


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(watchdog, "PATIENCE_SECONDS", 0.1)


def both_answer(_seconds: float) -> LocalregError | None:
    return None


def test_everything_comes_in_its_order() -> None:
    assert list(watched(iter(range(1000)), both_answer)) == list(range(1000))


def test_an_error_comes_where_it_happened() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise EngineError("oops")

    found = watched(items(), both_answer)
    assert next(found) == 1
    with pytest.raises(EngineError, match="oops"):
        next(found)


def test_what_takes_long_is_waited_for_while_both_ends_answer() -> None:
    asked = threading.Semaphore(0)

    def look(_seconds: float) -> LocalregError | None:
        asked.release()
        return None

    def items() -> Iterator[int]:
        for _ in range(30):
            asked.acquire()
        yield 1

    assert list(watched(items(), look)) == [1]


def test_an_end_that_stays_silent_is_given_up() -> None:
    never = threading.Event()

    def items() -> Iterator[int]:
        yield 1
        never.wait()

    found = watched(items(), lambda _seconds: RegistryUnreachableError("silent"))
    assert next(found) == 1
    with pytest.raises(RegistryUnreachableError, match="silent"):
        next(found)
    never.set()


def test_an_end_that_answers_now_and_then_is_not() -> None:
    answers = iter([RegistryUnreachableError("a hiccup"), None] * 100)
    asked = threading.Semaphore(0)

    def look(_seconds: float) -> LocalregError | None:
        asked.release()
        return next(answers)

    def items() -> Iterator[int]:
        for _ in range(60):
            asked.acquire()
        yield 1

    assert list(watched(items(), look)) == [1]


def test_each_end_has_its_own_patience() -> None:
    never = threading.Event()
    told: list[float] = []

    def items() -> Iterator[int]:
        never.wait()
        yield 1

    def look(seconds: float) -> LocalregError | None:
        told.append(seconds)
        return EngineLostError("silent") if seconds < 0.05 else RegistryUnreachableError("silent")

    with pytest.raises(RegistryUnreachableError):
        next(watched(items(), look))
    assert told[-1] > 0.12
    never.set()


def test_whoever_is_asked_is_told_since_when_nothing_came() -> None:
    told: list[float] = []
    asked = threading.Semaphore(0)

    def look(seconds: float) -> LocalregError | None:
        told.append(seconds)
        asked.release()
        return None

    def items() -> Iterator[int]:
        for _ in range(2):
            for _ in range(10):
                asked.acquire()
            yield 1

    found = watched(items(), look)
    next(found)
    first = len(told)
    next(found)
    assert told[:first] == sorted(told[:first])
    assert told[first:] == sorted(told[first:])
    assert 0 < told[first] < told[first - 1]


def test_what_is_given_up_is_closed_after_its_next_item() -> None:
    may_go_on, closed = threading.Event(), threading.Event()

    def items() -> Iterator[int]:
        try:
            yield 1
            may_go_on.wait()
            yield 2
            yield 3
            pytest.fail("nobody wants to have this")
        finally:
            closed.set()

    for _ in watched(items(), both_answer):
        break
    may_go_on.set()
    assert closed.wait(timeout=20)
