"""A password that a person types on a terminal, which does not show it, or pipes."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest
from support.terminals.terminal import Terminal

from localreg.cli.password_input import read_new_password, read_password
from localreg.errors import UsageError

PROGRAM = """
from localreg.cli.password_input import read_new_password
from localreg.errors import UsageError
try:
    print(len(read_new_password("me")))
except UsageError as exc:
    print(exc.message)
"""


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (("of-a-person", "of-a-person"), "11"),
        (("of-a-person", "of-a-persom"), "the passwords do not match"),
        (("x" * 73,), "the password is longer than 72 bytes, and bcrypt would ignore the rest"),
    ],
)
def test_a_new_password_is_asked_for_twice_and_not_shown(typed: tuple[str, ...], said: str) -> None:
    environment = {**os.environ, "TERM": "xterm", "PYTHONPATH": str(Path(__file__).parents[3])}
    terminal = Terminal([sys.executable, "-c", PROGRAM], columns=200, env=environment)
    left = dict(zip(("New password for `me`:", "Repeat the password:"), typed, strict=False))
    for screen in terminal.frames():
        if (password := left.pop(screen.lines[-1].plain, None)) is not None:
            terminal.type(f"{password}\n".encode())
    shown = "\n".join(line.plain for line in terminal.screen().lines)
    assert shown.rstrip().endswith(said)
    assert not any(password in shown for password in typed)


@pytest.mark.parametrize(
    ("data", "password"),
    [(b"secret\n", "secret"), (b"secret\r\n", "secret"), (b" se cret", " se cret"), (b"a\n\n", "a\n")],
)
def test_one_line_break_at_the_end_is_not_part_of_a_piped_one(
    data: bytes, password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert read_password("me") == password


@pytest.mark.parametrize("data", [b"", b"\n", b"\xff\xfe\n", b"a\nb\n"])
def test_what_is_no_password_is_refused_without_being_shown(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    with pytest.raises(UsageError):
        read_new_password("me")
