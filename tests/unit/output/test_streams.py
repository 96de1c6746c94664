from __future__ import annotations

import contextlib
import io
import os
import shutil
import sys

import pytest

from localreg.errors import LocalregError
from localreg.output.streams import Format, Streams
from localreg.system.command_line import CommandLine, Sentence


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_that_tells_no_width_is_taken_for_a_usual_one(monkeypatch: pytest.MonkeyPatch) -> None:
    # As `script` makes one whose own streams are no terminal.
    near, far = os.openpty()
    monkeypatch.delenv("COLUMNS", raising=False)
    with contextlib.closing(os.fdopen(near)), os.fdopen(far, "w") as terminal:
        assert os.get_terminal_size(far).columns == 0
        monkeypatch.setattr(sys, "stderr", terminal)
        monkeypatch.setattr(sys, "__stdout__", terminal)
        assert Streams(format=None, quiet=False).width == shutil.get_terminal_size().columns == 80


@pytest.mark.parametrize(
    ("term", "quiet", "progress"), [("xterm", False, True), ("dumb", False, False), ("xterm", True, False)]
)
def test_progress_needs_a_terminal_that_moves_its_cursor(
    monkeypatch: pytest.MonkeyPatch, term: str, *, quiet: bool, progress: bool
) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", term)
    assert Streams(format=None, quiet=quiet).shows_progress is progress
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert not Streams(format=None, quiet=quiet).shows_progress


@pytest.mark.parametrize(
    "hint",
    [
        Sentence("free some space and try again, or " * 4 + "wait"),
        "sudo mkdir -p /etc/docker/certs.d/localhost:5000 && " * 3 + "true",
        CommandLine("push", *["a-rather-long-name:1.0"] * 5),
    ],
)
def test_a_hint_is_folded_between_words_unless_it_is_a_command(monkeypatch: pytest.MonkeyPatch, hint: str) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    Streams(format=None, quiet=False).fail(LocalregError("it failed", hint=hint))
    said = terminal.getvalue().splitlines()[1:]
    assert " ".join(said) == f"hint: {hint}"
    assert max(map(len, said)) <= 80 if isinstance(hint, Sentence) else len(said) == 1


@pytest.mark.parametrize(
    ("format_", "quiet", "names"), [(None, True, True), (Format.JSON, True, False), (Format.PLAIN, False, False)]
)
def test_names_alone_are_shown_if_nothing_else_is_asked_for(
    format_: Format | None, *, quiet: bool, names: bool
) -> None:
    assert Streams(format=format_, quiet=quiet).shows_names_only is names
