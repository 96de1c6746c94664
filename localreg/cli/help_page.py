"""How a help page is laid out, on a narrow terminal too."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from typing import Any

_NARROW = 60
"""Columns below which an explanation stands below its option. Click's own layout wants 52."""


def width() -> int | None:
    """Columns of a terminal for which click's own layout is too wide; None for any other."""
    columns = shutil.get_terminal_size().columns
    return columns if columns < _NARROW else None


def write_options(formatter: Any, heading: str, parameters: Iterable[Any], context: Any) -> None:
    """Write a section of options or arguments; nothing where there are none."""
    write_rows(formatter, heading, [row for row in (param.get_help_record(context) for param in parameters) if row])


def write_rows(formatter: Any, heading: str, rows: Sequence[tuple[str, str]]) -> None:
    """Write a section of words and what each is."""
    if rows:
        with formatter.section(heading):
            formatter.write_dl(rows, col_max=10 if formatter.width < _NARROW else 30)


def examples(*lines: str) -> str:
    """The end of a command's help: examples, each on a line of its own."""
    return "Examples:\n" + "\n".join(f"  {line}" for line in lines)


def write_examples(formatter: Any, epilog: str | None) -> None:
    """Write examples as they stand: a line that is folded by words could not be copied."""
    if epilog:
        formatter.write_paragraph()
        formatter.write(f"{epilog}\n")
