"""Tables that fit the terminal, laid out by rich."""

from __future__ import annotations

import io
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text


def columns(
    headings: Sequence[str], rows: Sequence[Sequence[str]], *, width: int, right: frozenset[str] = frozenset()
) -> str:
    """Lay out rows below headings, without lines or colour; a cell that does not fit goes on below itself.

    Args:
        headings: One word for each column.
        rows: As many cells each as there are headings.
        width: Columns of the terminal.
        right: The headings whose column is numbers.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 3 if width >= _ROOMY else 1, 0, 0), show_edge=False)
    for heading in headings:
        table.add_column(
            heading, justify="right" if heading in right else "left", overflow="fold", header_style="", no_wrap=False
        )
    for row in rows:
        table.add_row(*map(Text, row))
    console = Console(file=io.StringIO(), width=width, color_system=None, highlight=False, force_terminal=False)
    with console.capture() as capture:
        console.print(table)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


_ROOMY = 80
