"""A terminal: what a person sees of a program, in so many columns, with its colours."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import pyte
from rich.text import Text

_ROWS = 400
"""More than any screen here has, so that nothing scrolls away."""

_SECONDS = 300.0
"""When a program is given up that does not end."""

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

    def shown(self) -> Screen:
        """What stands there now."""
        lines: list[Text] = []
        for number in range(max(self.buffer, default=-1) + 1):
            cells = self.buffer[number]
            row = Text()
            end = self.columns if number in self.going_on else max(cells, default=-1) + 1
            for style, group in groupby((cells[column] for column in range(end)), key=_style):
                row.append("".join(cell.data for cell in group), style)
            if number not in self.going_on:
                row.rstrip()
            if number - 1 in self.going_on:
                lines[-1].append_text(row)
            else:
                lines.append(row)
        while lines and not lines[-1].plain:
            lines.pop()
        return Screen(self.columns, tuple(lines))


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

    @property
    def pid(self) -> int:
        """Of the program, which leads a session of its own."""
        return self._process.pid

    def wait(self, *, seconds: float = _SECONDS) -> int:
        """Show what the program writes until it has ended; returns its exit code."""
        for piece in self._pieces(seconds):
            self._stream.feed(piece)
        return self._process.wait()

    def interrupt(self) -> None:
        """Ctrl-C."""
        self._process.send_signal(signal.SIGINT)

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._side, keys)

    def frames(self) -> Iterator[Screen]:
        """The screen after each piece that the program wrote."""
        for piece in self._pieces(_SECONDS):
            self._stream.feed(piece)
            yield self.screen()

    def _pieces(self, seconds: float) -> Iterator[bytes]:
        """What the program writes, until it has ended."""
        end = time.monotonic() + seconds
        while True:
            if not select.select([self._side], [], [], max(end - time.monotonic(), 0))[0]:
                os.killpg(self.pid, signal.SIGKILL)
                self._process.wait()
                raise subprocess.TimeoutExpired(self._process.args, seconds)
            try:
                piece = os.read(self._side, 65536)
            except OSError:
                # The kernel's answer once the program's side is closed.
                piece = b""
            if not piece:
                os.close(self._side)
                self._process.wait()
                return
            yield piece

    def screen(self) -> Screen:
        """What stands there now."""
        return self._screen.shown()


def drawn(text: str, columns: int) -> Screen:
    """What stands on a terminal after a text was written to it."""
    screen = _Wrapping(columns, _ROWS)
    pyte.Stream(screen).feed(text.replace("\n", "\r\n"))
    return screen.shown()


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
