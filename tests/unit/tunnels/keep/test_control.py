from __future__ import annotations

from pathlib import Path

from localreg.tunnels.keep import control
from localreg.tunnels.keep.control import ControlServer


def test_a_word_is_answered_and_nobody_is_no_answer(tmp_path: Path) -> None:
    path = tmp_path / "x.sock"
    assert control.ask(path, "status") is None
    server = ControlServer(path, lambda word: f"you said {word}")
    assert control.ask(path, "status") == "you said status\n"
    server.close()
    assert control.ask(path, "status") is None
    assert not path.exists()
