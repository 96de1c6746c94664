"""Tables that fit the terminal; rich lays out a table that needs folding."""

from __future__ import annotations

import io
import itertools
from collections.abc import Sequence
from typing import Literal

_GAPS = (3, 2, 1)
"""Spaces between two columns: the widest gap that fits is used."""
_SHORT = 20
"""Columns of a cell that is never unusually long."""
_MUCH = 1.5
"""How many times as wide as the middle one of its column a cell is, at most, that is usual."""
BAR_PARTS = "█░"
"""The characters of a bar: the first part, and the rest."""
_FEW = 0.25
"""The part of a table's rows that may have an unusually long cell if those are to be folded."""
_ANY = 1 << 20
"""A width at which nothing needs folding."""


def columns(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    width: int,
    right: frozenset[str] = frozenset(),
    spare: Sequence[str] = (),
    whole: frozenset[str] = frozenset(),
) -> str:
    """Lay out rows below headings, without lines or colour.

    Args:
        headings: One word for each column.
        rows: As many cells each as there are headings.
        width: Columns of the terminal.
        right: The headings whose column is numbers.
        spare: The headings of columns to leave out if there is no room, in this order. A cell that still does not fit
            continues below itself.
        whole: The headings of columns with cells to copy: rather than fold one, lines are longer than the terminal.
    """
    needed = [heading for heading in headings if heading not in spare]
    lengths = {column[0]: [*map(len, column)] for column in zip(headings, *rows, strict=True)}
    longest = {heading: max(column) for heading, column in lengths.items()}
    usual = {heading: _usual(column) for heading, column in lengths.items()}

    def width_of(shown: Sequence[str], gap: int, *, whole: Sequence[str]) -> int:
        """How wide the table is if only cells of unusual length are folded, and none in some columns."""
        widths = [longest[heading] if heading in whole else usual[heading] for heading in shown]
        return sum(widths) + gap * (len(widths) - 1)

    def leaves_room(without: Sequence[str]) -> bool:
        """Nothing in the needed columns has to be folded if some others are left out."""
        left = [heading for heading in headings if heading not in without]
        return width_of(left, _GAPS[-1], whole=needed) <= width

    if whole.isdisjoint(needed):
        is_long = ([length > usual[heading] for length in lengths[heading]] for heading in needed)
        # One long cell must not leave out all other columns.
        if not leaves_room(spare) or (not leaves_room(spare[:-1]) and _are_few(*is_long)):
            needed = []
    elif not leaves_room(spare):
        width = width_of(needed, _GAPS[0], whole=needed)
    shown = list(headings)
    for heading in spare:
        if width_of(shown, _GAPS[-1], whole=needed) > width:
            shown.remove(heading)
    places = [index for index, heading in enumerate(headings) if heading in shown]
    chosen = [[row[index] for index in places] for row in rows]
    natural = next((gap for gap in _GAPS if width_of(shown, gap, whole=shown) <= width), None)
    if natural is not None and all(map(_is_narrow, itertools.chain(*chosen))):
        return _padded(shown, chosen, gap=natural, right=right)
    fitting = next((gap for gap in _GAPS if width_of(shown, gap, whole=needed) <= width), _GAPS[-1])
    return _folded(shown, chosen, width=width, gap=natural or fitting, right=right, whole=needed)


def _are_few(*is_long: Sequence[bool]) -> bool:
    """Few rows have a long cell: for each column, it is given which cells are long."""
    rows = [any(row) for row in zip(*is_long, strict=True)]
    return sum(rows) <= _FEW * len(rows)


def _is_narrow(cell: str) -> bool:
    """Each of its characters takes one column."""
    rest = cell if cell.isascii() else cell.strip(BAR_PARTS).replace("…", "")
    return rest.isascii() and rest.isprintable()


def _padded(headings: Sequence[str], rows: Sequence[Sequence[str]], *, gap: int, right: frozenset[str]) -> str:
    """Every row on one line: what rich makes of it too, which takes seconds for some thousands of rows."""
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    form = (" " * gap).join(
        f"{{:{'>' if heading in right else '<'}{width}}}" for heading, width in zip(headings, widths, strict=True)
    )
    return "\n".join(form.format(*row).rstrip() for row in (headings, *rows))


def _folded(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    width: int,
    gap: int,
    right: frozenset[str],
    whole: Sequence[str] = (),
) -> str:
    from rich.console import Console  # noqa: PLC0415 -- takes longer to load than most tables to lay out
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    # Widths and gaps are given: what rich would make narrower by itself it might cut.
    table = Table(box=None, padding=0, pad_edge=False, show_edge=False)
    columns = [[*column] for column in zip(headings, *rows, strict=True)]
    widths = _widths(
        columns,
        one_word=[heading in right for heading in headings],
        whole=[heading in whole for heading in headings],
        room=width - gap * (len(headings) - 1),
    )
    for heading, given in zip(headings, widths, strict=True):
        justify: Literal["left", "right"] = "right" if heading in right else "left"
        table.add_column(heading, justify=justify, overflow="fold", header_style="", width=given)
        table.add_column(width=gap)
    for row in rows:
        table.add_row(*(part for cell in row for part in (Text(cell), "")))
    console = Console(file=io.StringIO(), width=_ANY, color_system=None, highlight=False, force_terminal=False)
    with console.capture() as capture:
        console.print(table)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def _widths(
    columns: Sequence[Sequence[str]], *, one_word: Sequence[bool], whole: Sequence[bool], room: int
) -> list[int]:
    """How wide each column is: a few long cells give first, then the widest columns, and then words are broken.

    Columns that need not be whole give before the others. A number and its unit are one word.
    """
    from rich.cells import cell_len  # noqa: PLC0415 -- loads rich

    lengths = [[cell_len(cell) for cell in column] for column in columns]
    widths = [max(column) for column in lengths]
    words = [
        max((cell_len(word) for cell in column for word in ([cell] if is_word else cell.split())), default=1)
        for column, is_word in zip(columns, one_word, strict=True)
    ]
    characters = [max((cell_len(character) for cell in column for character in cell), default=1) for column in columns]
    usual = [max(_usual(column), widest) for column, widest in zip(lengths, characters, strict=True)]
    before = [width if kept else least for width, kept, least in zip(widths, whole, usual, strict=True)]
    for least in (before, usual, words, characters):
        while sum(widths) > room:
            spare, widest = max(
                (width - floor, index) for index, (width, floor) in enumerate(zip(widths, least, strict=True))
            )
            if spare <= 0:
                break
            widths[widest] -= 1
    return [max(width, 1) for width in widths]


def _usual(lengths: Sequence[int]) -> int:
    """The width of a column without the few cells that are much longer than the others: those may be folded."""
    middle = sorted(lengths)[len(lengths) // 2]
    return max(length for length in lengths if length <= max(_SHORT, _MUCH * middle))
