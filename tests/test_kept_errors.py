"""Each error that is kept in `tests/screens/faults`, on other terminals than the one that it was seen on."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from fault_page import list_fault_tests
from rich.text import Text
from support.engines.real import BEDS
from support.terminals.kept_screens import FOLDER, UNFOLDED, VIEWS, View
from support.terminals.terminal import Screen, drawn

from localreg.errors import LocalregError
from localreg.output.streams import Format, Streams

KEPT = sorted((FOLDER / "faults").glob("*.txt"))


@dataclass(frozen=True)
class Said:
    """What a run said that failed, as the program had it."""

    notes: Sequence[str]
    warnings: Sequence[str]
    message: str
    details: Sequence[str]
    hint: str | None


def read(path: Path) -> tuple[Text, ...]:
    """The lines of a kept screen, with their colours."""
    return tuple(Text.from_markup(line) for line in path.read_text().partition("\n\n")[2].splitlines())


def is_error(path: Path) -> bool:
    """Whether it is an error; else it is a result, whose table has tests of its own."""
    return any(line.plain.startswith("error: ") for line in read(path))


ERRORS = [path for path in KEPT if is_error(path)]


def parsed(lines: Sequence[Text]) -> Said:
    labelled: dict[str, list[str]] = {"error": [], "warning": [], "hint": []}
    notes: list[str] = []
    details: list[str] = []
    for line in lines:
        label, _, text = line.plain.partition(": ")
        if label in labelled:
            labelled[label].append(text)
        else:
            (details if labelled["error"] else notes).append(line.plain.removeprefix("  "))
    (message,) = labelled["error"]
    return Said(notes, labelled["warning"], message, details, next(iter(labelled["hint"]), None))


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(said: Said, view: View, monkeypatch: pytest.MonkeyPatch) -> Screen:
    """What a terminal shows."""
    terminal = _Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("COLUMNS", str(view.columns))
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "" if view.colour else "1")
    streams = Streams(format=Format.TABLE, quiet=False)
    for note in said.notes:
        streams.note(note)
    for warning in said.warnings:
        streams.warn(warning)
    streams.fail(LocalregError(said.message, hint=said.hint, details=said.details))
    return drawn(terminal.getvalue(), view.columns)


def words(lines: Sequence[str]) -> Sequence[str]:
    return " ".join(lines).split()


def is_copied(line: str, said: Said) -> bool:
    """Whether it is the hint, one word, or what stands in backticks: folded, it could not be copied."""
    return line == f"hint: {said.hint}" or " " not in re.sub("`[^`]*`", "", line.strip())


@pytest.mark.parametrize("path", ERRORS, ids=lambda path: path.stem)
def test_an_error_is_kept_as_the_program_has_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = read(path)
    assert [line.markup for line in shown(parsed(kept), UNFOLDED, monkeypatch).lines] == [line.markup for line in kept]


@pytest.mark.parametrize("path", ERRORS, ids=lambda path: path.stem)
def test_an_error_is_folded_between_words_and_says_the_same(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = parsed(read(path))
    for view in VIEWS:
        lines = [line.plain for line in shown(said, view, monkeypatch).lines]
        assert words(lines) == words([line.plain for line in read(path)])
        assert [line for line in lines if len(line) > view.columns and not is_copied(line, said)] == []
        # Whatever is offered to be copied is in one line.
        copied = [*re.findall("`[^`]*`", said.message), *([f"hint: {said.hint}"] if said.hint else [])]
        assert [text for text in copied if not any(text in line for line in lines)] == []


@pytest.mark.parametrize("path", ERRORS, ids=lambda path: path.stem)
def test_only_labels_are_coloured_and_only_where_colours_are_wanted(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = parsed(read(path))
    coloured = {
        span
        for line in shown(said, View(80), monkeypatch).lines
        for span in re.findall(r"\[\w+\][^\[]*\[/", line.markup)
    }
    assert "[red]error:[/" in coloured
    assert coloured <= {"[red]error:[/", "[yellow]warning:[/", "[cyan]hint:[/"}
    plain = shown(said, View(80, colour=False), monkeypatch)
    assert [line.markup for line in plain.lines] == [line.plain for line in shown(said, View(80), monkeypatch).lines]


def test_every_error_is_looked_at() -> None:
    assert len(ERRORS) > 80
    assert len(KEPT) - len(ERRORS) < 10


def test_every_kept_error_is_seen_on_the_engine_that_it_is_kept_of() -> None:
    unseen = []
    for fault, name, test in list_fault_tests():
        beds = {"docker", "podman-rootless"}
        for mark in getattr(test, "pytestmark", ()):
            if mark.name == "parametrize" and mark.args[0] == "bed":
                beds = set(mark.args[1])
        if fault.kept in BEDS and fault.kept not in beds:
            unseen.append((fault.case, name))
    assert unseen == []
