"""What a person sees, kept as files: a command in a terminal, or in several.

`LOCALREG_WRITE_SCREENS=1` writes the files anew; each is to be looked at before it is committed.
"""

from __future__ import annotations

import difflib
import hashlib
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.text import Text
from support.engines.real import Bed
from support.terminals.terminal import Screen, Terminal

FOLDER = Path(__file__).parents[2] / "screens"
PICTURES = Path(__file__).parents[3] / "docs" / "screens"

_VARYING = (
    (r"\(\d+\.\d s\)", "(0.6 s)"),
    (r"\b\d:\d\d:\d\d\b", "0:00:00"),
    (r"Docker \d+\.\d+\.\d+[\w.+~-]*", "Docker 28.5.2"),
    (r"Podman \d+\.\d+\.\d+[\w.+~-]*", "Podman 5.4.2"),
    (r"\(pid \d+\)", "(pid 4242)"),
    (r"\"pid\": \d+", '"pid": 4242'),
    (r"(?<![\w:+])\d\d:\d\d(?![\w:])", "12:00"),
    (r"\"size\": \d+", '"size": 38600000'),
    (r"--port (?!45123\b)\d{5}\b", "--port 45124"),
    (r"(?<=:)[3-6]\d{4}\b", "45123"),
    (r"SHA256:[A-Za-z0-9+/]{43}", f"SHA256:{'x' * 43}"),
    (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
    (r"(?<=/sha256/)[0-9a-f]{2}(?=/)", "4f"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "2026-01-31 12:00:00 UTC"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", "2026-01-31T12:00:00"),
)
"""What differs from run to run, and what stands for it."""

_DIGITS = r"(?<!-)\b(?=[a-f]*[0-9])([0-9a-f]{64}|[0-9a-f]{12})\b"
"""Of an image, a container or a layer: all of them, or the first twelve."""

A_PORT = "45123"
"""Stands for the port of a test."""

_Word = str | Callable[[re.Match[str]], str]


@dataclass(frozen=True)
class View:
    """A kind of terminal."""

    columns: int
    colour: bool = True

    def __str__(self) -> str:
        return f"{self.columns} columns" + ("" if self.colour else ", without colour")

    def open(
        self, bed: Bed, script: str, *, env: Mapping[str, str | None] | None = None, cwd: Path = Path("/")
    ) -> Terminal:
        """Run a line of a shell in it, as the bed's user."""
        colours = {"TERM": "xterm-256color", **({} if self.colour else {"NO_COLOR": "1"})}
        full = {**bed.environment, **(env or {}), **colours}
        return Terminal(
            bed.command(["/bin/bash", "-c", f"exec {script}"]),
            columns=self.columns,
            env={name: value for name, value in full.items() if value is not None},
            cwd=cwd,
        )


_SVG = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font: {char_height}px/{line_height}px ui-monospace, monospace; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}
</defs>
<rect width="{width}" height="{height}" rx="8" fill="#1c1c1c"/>
<g transform="translate({terminal_x}, 20)" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
"""No window around it, and no font that a page would have to load from somewhere."""

VIEWS = (View(40), View(80), View(200), View(80, colour=False))
PICTURED = View(80)
UNFOLDED = View(2000)
"""So wide that each line is whole, as the program has it; how it is folded is seen without running it."""


def seen(terminal: Terminal, *, code: int) -> Screen:
    """What is left on a terminal when its program has ended as it should."""
    ended = terminal.wait()
    screen = terminal.screen()
    assert ended == code, f"exited with {ended}\n" + "\n".join(line.plain for line in screen.lines)
    return screen


def steady(
    screen: Screen, bed: Bed, varying: Sequence[tuple[str, str]] = (), known: dict[str, str] | None = None
) -> Screen:
    """A screen without what differs from run to run; what differs on the screen still does.

    Args:
        screen: As it was seen.
        bed: Whose engine was named.
        varying: More patterns, and what stands for them.
        known: What stands for the digits that were on earlier screens of the same session; is added to.
    """
    known = {} if known is None else known

    def stand_in(found: re.Match[str]) -> str:
        digits = found[0]
        made_up = hashlib.sha256(f"{len(known)}".encode()).hexdigest()
        return known.setdefault(digits[:12], made_up)[: len(digits)]

    words: Sequence[tuple[str, _Word]] = (
        *varying,
        (f"localreg --engine {bed.engine} ", "localreg "),
        *_VARYING,
        (_DIGITS, stand_in),
    )
    return screen.changed(lambda line: _replaced(line, words))


def _replaced(line: Text, words: Sequence[tuple[str, _Word]]) -> Text:
    for pattern, word in words:
        parts, end = [], 0
        for found in re.finditer(pattern, line.plain):
            before, middle = line[end : found.start()], line[found.start() : found.end()]
            style = str(middle.spans[0].style) if middle.spans else ""
            parts += [before, Text(word if isinstance(word, str) else word(found), style)]
            end = found.end()
        line = Text.assemble(*parts, line[end:])
    return line


def check(name: str, command: str, seen: Mapping[View, Screen]) -> None:
    """Compare screens with those that are kept.

    Args:
        name: Of the file in `tests/screens`, without its suffix.
        command: What was typed.
        seen: Without what varies.
    """
    path = FOLDER / f"{name}.txt"
    text = f"$ {command}\n"
    for view, screen in seen.items():
        heading = "" if view == UNFOLDED else f"{f'── {view} ':─<{view.columns}}\n"
        text += f"\n{heading}" + "".join(f"{row.markup}\n" for row in screen.rows)
    # An error's details are mostly the engine's words, which another release may change.
    _compare(path, text, without="^  .*\n" if UNFOLDED in seen and os.environ.get("LOCALREG_ROOT") else None)


def kept_lines(name: str) -> list[str]:
    """The lines of the widest screen that is kept, without its colours.

    Args:
        name: Of the file in `tests/screens`, without its suffix.
    """
    widest = max(VIEWS, key=lambda view: view.columns)
    _, _, screens = (FOLDER / f"{name}.txt").read_text().partition("\n\n")
    _, heading, screen = screens.partition(f"── {widest} ")
    lines = screen.partition("\n\n──")[0].splitlines()[1:] if heading else screens.splitlines()
    assert lines, f"{name}.txt has no screen"
    return [Text.from_markup(line).plain for line in lines]


def check_picture(name: str, told: Sequence[tuple[str, Screen]]) -> None:
    """Compare a picture that README or docs show with what was seen.

    Args:
        name: Of the file in `docs/screens`, without its suffix.
        told: Commands and their screens, one below the other.
    """
    console = Console(
        file=StringIO(), record=True, width=PICTURED.columns, force_terminal=True, color_system="truecolor"
    )
    for number, (command, screen) in enumerate(told):
        console.print(*([""] if number else []), Text(f"$ {command}", "bold"), *screen.rows, sep="\n", no_wrap=True)
    svg = console.export_svg(title="", unique_id=name, code_format=_SVG)
    svg = "".join(f"{line.rstrip()}\n" for line in svg.splitlines())
    path = PICTURES / f"{name}.svg"
    _compare(path, svg)


def _compare(path: Path, now: str, *, without: str | None = None) -> None:
    """Fail where something else is kept, or nothing.

    Args:
        path: Of what is kept.
        now: What was seen.
        without: A pattern for lines that are not compared.
    """
    if os.environ.get("LOCALREG_WRITE_SCREENS"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(now)
        return
    kept = path.read_text() if path.exists() else ""
    if without:
        kept, now = (re.sub(without, "", text, flags=re.MULTILINE) for text in (kept, now))
    assert kept == now, "\n".join(
        difflib.unified_diff(kept.splitlines(), now.splitlines(), f"kept as {path.name}", "now", lineterm="")
    )
