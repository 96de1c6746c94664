from __future__ import annotations

import io

import pytest

from localreg.output.live_line import LiveLine


def test_a_live_line_is_written_over(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    monkeypatch.setattr("sys.stderr", written)
    line = LiveLine()
    line.show(lambda width: "x" * (width - 70))
    line.clear()
    assert written.getvalue() == "\r\033[Kxxxxxxxxxx\r\033[K"
