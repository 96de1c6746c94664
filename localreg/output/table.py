"""Tables that fit the terminal; what has to be folded is laid out by rich."""

from __future__ import annotations

import io
import itertools
from collections.abc import Sequence

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
    places = [index for index, heading in enumerate(headings) if heading in shown]
    chosen = [[row[index] for index in places] for row in rows]
    if _natural_width(headings, rows, shown, gap) <= width and all(map(_is_narrow, itertools.chain(*chosen))):
        return _padded(shown, chosen, gap=gap, right=right)
    return _folded(shown, chosen, width=width, gap=gap, right=right)


def _is_narrow(cell: str) -> bool:
    """Each of its characters takes one column."""
    return cell.isascii() and cell.isprintable()


def _padded(headings: Sequence[str], rows: Sequence[Sequence[str]], *, gap: int, right: frozenset[str]) -> str:
    """Every row on one line: what rich makes of it too, which takes seconds for some thousands of rows."""
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    form = (" " * gap).join(
        f"{{:{'>' if heading in right else '<'}{width}}}" for heading, width in zip(headings, widths, strict=True)
    )
    return "\n".join(form.format(*row).rstrip() for row in (headings, *rows))


def _folded(
    headings: Sequence[str], rows: Sequence[Sequence[str]], *, width: int, gap: int, right: frozenset[str]
) -> str:
    from rich.console import Console  # noqa: PLC0415 -- takes longer to load than most tables to lay out
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), show_edge=False)
    widths = _unfolded(headings, rows, width=width, gap=gap)
    for heading, least in zip(headings, widths, strict=True):
        table.add_column(
            heading,
            justify="right" if heading in right else "left",
            overflow="fold",
            header_style="",
            min_width=least,
        )
    for row in rows:
        table.add_row(*map(Text, row))
    console = Console(file=io.StringIO(), width=width, color_system=None, highlight=False, force_terminal=False)
    with console.capture() as capture:
        console.print(table)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def _unfolded(headings: Sequence[str], rows: Sequence[Sequence[str]], *, width: int, gap: int) -> list[int | None]:
    """How wide each column has to be for its words to stay whole; None for all where there is no room for that."""
    least = [
        max((len(word) for cell in column for word in cell.split()), default=0)
        for column in zip(headings, *rows, strict=True)
    ]
    if sum(least) + gap * (len(least) - 1) > width:
        return [None for _ in least]
    # Rich counts a gap behind the last column, too.
    return [*least[:-1], max(least[-1] - gap, 1)]


def _natural_width(headings: Sequence[str], rows: Sequence[Sequence[str]], shown: Sequence[str], gap: int) -> int:
    """How wide the table is when no cell is folded."""
    cells = zip(headings, *rows, strict=True)
    widths = [max(map(len, column)) for column in cells if column[0] in shown]
    return sum(widths) + gap * (len(widths) - 1)
