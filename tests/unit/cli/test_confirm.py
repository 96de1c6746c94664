"""The question before something is deleted, on a terminal."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from support.terminals.terminal import Terminal

SCRIPT = """
import typer
from localreg.cli.confirm import confirm
from localreg.cli.session import Session
from localreg.system.command_line import CommandLine
try:
    confirm(Session(), "Remove 3 tags?", yes=False, command=CommandLine("rm"))
except typer.Abort:
    print("prompt of the shell")
"""


def test_ctrl_d_ends_the_line_of_the_question() -> None:
    """As Ctrl-C does, which Python may notice only at the next key if it comes right before the question is read."""
    environment = {**os.environ, "TERM": "xterm", "PYTHONPATH": str(Path(__file__).parents[3])}
    terminal = Terminal([sys.executable, "-c", SCRIPT], columns=80, env=environment)
    for screen in terminal.frames():
        if "[y/N]" in screen.lines[-1].plain:
            terminal.type(b"\x04")
            break
    assert terminal.wait() == 0
    assert [line.plain for line in terminal.screen().lines] == ["Remove 3 tags? [y/N]:", "prompt of the shell"]
