"""Tables that fit the terminal, laid out by rich."""

from __future__ import annotations

import io
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

_GAPS = (3, 2, 1)
"""Columns between two cells: as many as there is room for."""


def columns(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    width: int,
    right: frozenset[str] = frozenset(),
    spare: Sequence[str] = (),
) -> str:
    """Lay out rows below headings, without lines or colour.

    Args:
        headings: One word for each column.
        rows: As many cells each as there are headings.
        width: Columns of the terminal.
        right: The headings whose column is numbers.
        spare: The headings whose column may be left out, the first first, where there is no room; a cell that does not
            fit even then goes on below itself.
    """
    shown = list(headings)
    for heading in spare:
        if _natural_width(headings, rows, shown, _GAPS[-1]) > width:
            shown.remove(heading)
    gap = next((gap for gap in _GAPS if _natural_width(headings, rows, shown, gap) <= width), _GAPS[-1])
    table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), show_edge=False)
    for heading in shown:
        table.add_column(heading, justify="right" if heading in right else "left", overflow="fold", header_style="")
    for row in rows:
        table.add_row(*(Text(cell) for heading, cell in zip(headings, row, strict=True) if heading in shown))
    console = Console(file=io.StringIO(), width=width, color_system=None, highlight=False, force_terminal=False)
    with console.capture() as capture:
        console.print(table)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def _natural_width(headings: Sequence[str], rows: Sequence[Sequence[str]], shown: Sequence[str], gap: int) -> int:
    """How wide the table is when no cell is folded."""
    cells = zip(headings, *rows, strict=True)
    widths = [max(map(len, column)) for column in cells if column[0] in shown]
    return sum(widths) + gap * (len(widths) - 1)
