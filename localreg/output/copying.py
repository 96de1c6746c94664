"""A copy on a terminal: one bar with bytes and the speed."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn


class CopyDisplay:
    """Shows how a copy goes on, on stderr while it lasts."""

    def __init__(self) -> None:
        self._progress = Progress(
            BarColumn(bar_width=None),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True, highlight=False),
            transient=True,
        )
        self._task = self._progress.add_task("", total=None)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def begin(self, total: int) -> None:
        """So many bytes are to be copied."""
        self._progress.update(self._task, total=total, completed=0)

    def advance(self, count: int) -> None:
        """So many bytes more were copied."""
        self._progress.advance(self._task, count)
