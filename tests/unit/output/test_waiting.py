"""The line that tells what a command is doing."""

from __future__ import annotations

import io

import pytest

from localreg.output import waiting
from localreg.output.waiting import Waiting
from localreg.system.waiting import wait_until


class Written(io.StringIO):
    """What was written to stderr, at a pace that no test waits for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        monkeypatch.setattr("sys.stderr", self)
        monkeypatch.setattr(waiting, "_SECONDS", 0.01)


def test_a_long_wait_is_shown_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    written = Written(monkeypatch)
    with Waiting("reading", shown=True) as shown:
        assert wait_until(lambda: "reading, 0 s" in written.getvalue(), seconds=10)
        shown.say("deleting")
        assert wait_until(lambda: "deleting, 0 s" in written.getvalue(), seconds=10)
        shown.above(lambda: print("a note", file=written))
    assert "\r\033[Ka note\n" in written.getvalue()
    assert written.getvalue().endswith(("\r\033[K", "a note\n"))


def test_a_line_is_no_longer_than_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    written = Written(monkeypatch)
    monkeypatch.setenv("COLUMNS", "10")
    with Waiting("reading the registry", shown=True):
        assert wait_until(lambda: "\r\033[Kreading t\r" in written.getvalue(), seconds=10)


@pytest.mark.parametrize("shown", [True, False])
def test_a_short_wait_or_one_without_a_terminal_writes_nothing(monkeypatch: pytest.MonkeyPatch, *, shown: bool) -> None:
    written = Written(monkeypatch)
    monkeypatch.setattr(waiting, "_SECONDS", 60)
    with Waiting("reading", shown=shown):
        pass
    assert written.getvalue() == ""
