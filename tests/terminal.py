"""A terminal: what a person sees of a program, in so many columns, with its colours."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import subprocess
import termios
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import pyte
from rich.text import Text

_ROWS = 400
"""More than any screen here has, so that nothing scrolls away."""

_NAMES = {"brown": "yellow"}
"""What pyte calls otherwise than rich."""


@dataclass(frozen=True)
class Screen:
    """What stands on a terminal at a moment."""

    columns: int
    lines: tuple[Text, ...]
    """As they were written: what the terminal folded is one line again."""

    def changed(self, change: Callable[[Text], Text]) -> Screen:
        """The same with each line changed."""
        return Screen(self.columns, tuple(change(line) for line in self.lines))

    @property
    def rows(self) -> Iterator[Text]:
        """As the terminal shows it: a line that is too long goes on in the next row."""
        for line in self.lines:
            yield from line.divide(range(self.columns, len(line), self.columns))


class _Wrapping(pyte.Screen):
    """Remembers which rows go on in the next, because the line was longer than the terminal is wide."""

    def __init__(self, columns: int, lines: int) -> None:
        self.going_on: set[int] = set()
        self._drawing = False
        super().__init__(columns, lines)

    def draw(self, data: str) -> None:
        self._drawing = True
        super().draw(data)
        self._drawing = False

    def erase_in_line(self, how: int = 0, private: bool = False) -> None:  # noqa: FBT001, FBT002 -- pyte's signature
        self.going_on.discard(self.cursor.y)
        super().erase_in_line(how, private)

    def linefeed(self) -> None:
        (self.going_on.add if self._drawing else self.going_on.discard)(self.cursor.y)
        super().linefeed()


class Terminal:
    """One of a given width, on which one program runs."""

    def __init__(self, command: Sequence[str], *, columns: int, env: Mapping[str, str], cwd: Path = Path("/")) -> None:
        self._screen = _Wrapping(columns, _ROWS)
        self._stream = pyte.ByteStream(self._screen)
        self._side, program_side = pty.openpty()
        fcntl.ioctl(program_side, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self._process = subprocess.Popen(
            command,
            env=env,
            cwd=cwd,
            stdin=program_side,
            stdout=program_side,
            stderr=program_side,
            start_new_session=True,
        )
        os.close(program_side)

    def wait(self) -> int:
        """Show what the program writes until it has ended; returns its exit code."""
        for _ in self.frames():
            pass
        return self._process.wait()

    def interrupt(self) -> None:
        """Ctrl-C."""
        self._process.send_signal(signal.SIGINT)

    def frames(self) -> Iterator[Screen]:
        """The screen after each piece that the program wrote."""
        while True:
            try:
                piece = os.read(self._side, 65536)
            except OSError:
                # The kernel's answer once the program's side is closed.
                piece = b""
            if not piece:
                os.close(self._side)
                return
            self._stream.feed(piece)
            yield self.screen()

    def screen(self) -> Screen:
        """What stands there now."""
        columns = self._screen.columns
        lines: list[Text] = []
        for number in range(_ROWS):
            cells = self._screen.buffer[number]
            row = Text()
            for style, group in groupby((cells[column] for column in range(columns)), key=_style):
                row.append("".join(cell.data for cell in group), style)
            if number not in self._screen.going_on:
                row.rstrip()
            if number - 1 in self._screen.going_on:
                lines[-1].append_text(row)
            else:
                lines.append(row)
        while lines and not lines[-1].plain:
            lines.pop()
        return Screen(columns, tuple(lines))


def _style(cell: pyte.screens.Char) -> str:
    """What rich calls the style of a character."""
    bold = ["bold"] if cell.bold else []
    return " ".join([*bold, *_colour(cell.fg)])


def _colour(name: str) -> list[str]:
    if name == "default":
        return []
    if len(name) == len("rrggbb"):
        return [f"#{name}"]
    plain = name.removeprefix("bright")
    return [("" if plain == name else "bright_") + _NAMES.get(plain, plain)]
