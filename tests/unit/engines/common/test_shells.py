"""The shells that stay open in containers, without an engine."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import pytest

from localreg.engines.common import shells as module
from localreg.engines.common.shells import OpenShell, Shells
from localreg.errors import EngineLostError
from localreg.system.waiting import wait_until


class Stub:
    """A shell whose commands end when they may."""

    def __init__(self, may_end: threading.Event) -> None:
        self.is_idle = True
        self.is_closed = False
        self._may_end = may_end
        self._ended = threading.Event()

    def run(self, command: Sequence[str]) -> Iterator[bytes]:
        self.is_idle = False
        yield command[0].encode()
        assert wait_until(lambda: self._may_end.is_set() or self._ended.is_set(), seconds=20)
        if self._ended.is_set():
            raise EngineLostError("ended")
        self.is_idle = True

    def end(self) -> None:
        self._ended.set()

    def close(self) -> None:
        self.end()
        self.is_closed = True


def test_threads_that_need_a_shell_at_once_share_the_one_that_is_being_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_START_SECONDS", 20)
    may_start, may_end, starts = threading.Event(), threading.Event(), list[str]()
    may_end.set()

    def start(container_id: str) -> OpenShell:
        starts.append(container_id)
        if container_id == "a":
            assert may_start.wait(20)
        return cast("OpenShell", Stub(may_end))

    shells = Shells(start)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(lambda: list(shells.run("a", ["1"])))
        assert wait_until(lambda: starts == ["a"], seconds=20)
        second = pool.submit(lambda: list(shells.run("a", ["2"])))
        # Another container's does not wait for it.
        assert list(shells.run("b", ["3"])) == [b"3"]
        may_start.set()
        assert (first.result(20), second.result(20)) == ([b"1"], [b"2"])
    assert starts == ["a", "b"]


def test_shells_end_when_the_engine_is_closed() -> None:
    made = list[Stub]()

    def start(_: str) -> OpenShell:
        made.append(Stub(threading.Event()))
        return cast("OpenShell", made[-1])

    shells = Shells(start)
    with ThreadPoolExecutor(1) as pool:
        output = shells.run("a", ["1"])
        assert next(output) == b"1"
        waiting = pool.submit(list, output)
        shells.close()
        with pytest.raises(EngineLostError):
            waiting.result(20)
        # One that was just being started ends as well.
        with pytest.raises(EngineLostError):
            list(shells.run("a", ["2"]))
    assert [shell.is_closed for shell in made] == [True, True]
