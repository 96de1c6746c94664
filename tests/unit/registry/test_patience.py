"""A command in a container whose engine may hang."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import pytest

from localreg.errors import EngineError, EngineLostError
from localreg.registry.patience import run_patiently


def test_the_output_is_passed_on_as_it_comes() -> None:
    asked: list[Sequence[str]] = []

    def run(command: Sequence[str]) -> Iterator[bytes]:
        asked.append(command)
        return (b"%d" % number for number in range(1000))

    assert b"".join(run_patiently(run, ["sh"], seconds=60)) == b"".join(b"%d" % number for number in range(1000))
    assert asked == [["sh"]]


def test_an_engine_that_says_nothing_is_lost() -> None:
    released = threading.Event()

    def run(_: Sequence[str]) -> Iterator[bytes]:
        yield b"first"
        released.wait()

    found = run_patiently(run, ["sh"], seconds=0.05)
    assert next(found) == b"first"
    with pytest.raises(EngineLostError, match=r"0\.05 seconds"):
        next(found)
    released.set()


def test_an_error_is_that_of_the_command() -> None:
    def run(_: Sequence[str]) -> Iterator[bytes]:
        yield b"some"
        raise EngineError("exit code 1")

    received: list[bytes] = []
    with pytest.raises(EngineError, match="exit code 1"):
        received += run_patiently(run, ["sh"], seconds=60)
