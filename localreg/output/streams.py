"""The two streams: stdout carries the result, stderr everything else."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TextIO

from localreg.errors import LocalregError, reason_of
from localreg.output.block import fold
from localreg.output.text import printable
from localreg.system.command_line import Sentence

SCHEMA_VERSION = 1
_DETAIL_INDENT = "    "
_COLUMNS = 80


class Format(StrEnum):
    """How a result is written."""

    TABLE = "table"
    PLAIN = "plain"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Renderings:
    """One result in every format; each is made only when it is asked for."""

    table: Callable[[int], str]
    """Takes the width of the terminal in columns."""
    plain: Callable[[], str]
    """TAB-separated, a record a line, no header; may be empty."""
    json: Callable[[], Mapping[str, Any]]
    quiet: Callable[[], str] | None = None
    """Identifiers only, if that differs from plain."""


class Streams:
    """The places that a command writes to."""

    def __init__(self, *, format: Format | None, quiet: bool) -> None:  # noqa: A002 -- the name of the option
        self.format = format or (Format.TABLE if sys.stdout.isatty() else Format.PLAIN)
        self.quiet = quiet

    @property
    def width(self) -> int:
        """Columns of the terminal, also of one beyond a pager; 80 without one, or if it does not tell."""
        fallback = os.get_terminal_size(sys.stderr.fileno()) if sys.stderr.isatty() else (_COLUMNS, 24)
        return shutil.get_terminal_size(fallback).columns or _COLUMNS

    @property
    def shows_progress(self) -> bool:
        """Stderr is a terminal that can move its cursor, and nothing asks for silence."""
        return sys.stderr.isatty() and not self.quiet and os.environ.get("TERM") != "dumb"

    @property
    def shows_names_only(self) -> bool:
        """The result will be identifiers only."""
        return self.quiet and self.format is not Format.JSON

    @property
    def shared_stderr(self) -> int | None:
        """The stderr that a program of localreg's may write to; None if only localreg's own messages are wanted."""
        return None if self.quiet or self.format is Format.JSON else sys.stderr.fileno()

    def show(self, result: Renderings) -> None:
        """Write a command's result to stdout."""
        if self.format is Format.JSON:
            text = _json({"schema_version": SCHEMA_VERSION, **result.json()}, indent=2)
        elif self.shows_names_only:
            text = (result.quiet or result.plain)()
        elif self.format is Format.PLAIN:
            text = result.plain()
        else:
            text = result.table(self.width)
        if text:
            with _reported():
                print(text, flush=True)

    def show_bytes(self, data: bytes) -> None:
        """Write bytes to stdout, in every format, and nothing else."""
        with _reported():
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()

    def note(self, text: str) -> None:
        """Write a note to stderr; not with --quiet or --json."""
        self._say_aside(_folded(printable(text)))

    def hint(self, text: str) -> None:
        """Suggest a command on stderr; not with --quiet or --json."""
        self._say_aside(_labelled("hint:", "36", printable(text)))

    def _say_aside(self, text: str) -> None:
        if not self.quiet and self.format is not Format.JSON:
            _say(text)

    def warn(self, text: str) -> None:
        """Warn on stderr, even with --quiet."""
        if self.format is Format.JSON:
            _say(_json({"warning": text}))
            return
        _say(_labelled("warning:", "33", printable(text)))

    def fail(self, error: LocalregError) -> None:
        """Report an error on stderr, as JSON with --json."""
        if self.format is Format.JSON:
            _say(_json({"error": error_as_json(error)}))
            return
        details = (printable(line) for detail in error.details for line in detail.splitlines())
        lines = [
            _labelled("error:", "31", printable(error.message)),
            *(_folded(f"  {line}", indent=_DETAIL_INDENT) for line in details),
        ]
        if error.hint:
            # A folded command could not be copied.
            folds = isinstance(error.hint, Sentence)
            hint = printable(error.hint)
            lines.append(_labelled("hint:", "36", hint) if folds else f"{paint('hint:', '36', sys.stderr)} {hint}")
        _say("\n".join(lines))


@contextlib.contextmanager
def _reported() -> Iterator[None]:
    """Report a failure to write the result, unless its reader has gone."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as exc:
        raise LocalregError(f"cannot write the result: {reason_of(exc)}") from exc


def _labelled(label: str, colour: str, text: str) -> str:
    """A sentence for stderr after a coloured label."""
    return paint(label, colour, sys.stderr) + _folded(f"{label} {text}").removeprefix(label)


def _folded(text: str, *, indent: str = "") -> str:
    """A line for stderr, folded if that is a terminal."""
    return fold(text, shutil.get_terminal_size().columns, indent=indent) if sys.stderr.isatty() else text


def _say(text: str) -> None:
    """Write to stderr; if that fails, the exit code alone must tell."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def _json(value: Mapping[str, Any], *, indent: int | None = None) -> str:
    import json  # noqa: PLC0415 -- for --json only: help starts without it

    return json.dumps(value, indent=indent)


def error_as_json(error: LocalregError) -> dict[str, Any]:
    """An error as JSON."""
    return {
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "details": list(error.details),
        "exit_code": error.exit_code,
    }


def paint(text: str, colour: str, stream: TextIO) -> str:
    """Colour a word on a terminal that shows colours.

    Args:
        text: The text to colour.
        colour: An SGR code.
        stream: The stream that it will be written to.
    """
    if not stream.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return f"\033[{colour}m{text}\033[0m"
