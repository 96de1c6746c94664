"""A copy on a terminal: one bar with bytes and the speed."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

_WIDEST_BAR = 40
_NARROWEST_BAR = 10
_BESIDE_BAR = 42
"""Columns of the figures, with room for the `^C` of a terminal: a line that wraps is not cleared."""


class CopyDisplay:
    """Shows how a copy goes on, on stderr while it lasts."""

    def __init__(self) -> None:
        console = Console(stderr=True, highlight=False)
        room = console.width - _BESIDE_BAR
        bar = [BarColumn(bar_width=min(room, _WIDEST_BAR))] if room >= _NARROWEST_BAR else []
        figures = (DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        self._progress = Progress(*bar, *figures, console=console, transient=True)
        # Without a total, the figures would be question marks.
        self._task = self._progress.add_task("", total=None, visible=False)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def begin(self, total: int) -> None:
        """So many bytes are to be copied."""
        self._progress.update(self._task, total=total, completed=0, visible=True)

    def advance(self, count: int) -> None:
        """So many bytes more were copied."""
        self._progress.advance(self._task, count)
