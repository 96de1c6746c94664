from __future__ import annotations

import stat
from pathlib import Path

import pytest

from localreg.tunnels.keep import process


def test_a_log_that_has_grown_too_long_begins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_LONGEST_LOG", 100)
    log = tmp_path / "x.log"
    for number in range(20):
        process.write_log(log, f"line {number}")
    assert len(log.read_text()) < 150
    assert log.read_text().endswith("line 19\n")
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
