"""A push or a pull on a terminal: a line for each layer, with bytes if the engine reports them."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress_bar import ProgressBar
from rich.table import Column
from rich.text import Text

from localreg.engines import values
from localreg.output.text import size

_NARROW = 72
_BESIDE_BAR = 62


class _Bar(BarColumn):
    """How much of a layer is done, if the engine reports it."""

    def render(self, task: Task) -> ProgressBar:
        """A bar; empty while the engine reports no size."""
        return super().render(task) if task.fields["sized"] or task.finished else ProgressBar(width=0)


class _Bytes(ProgressColumn):
    """How much of a layer is done, and how fast."""

    def __init__(self, *, has_room: bool) -> None:
        super().__init__(table_column=Column(no_wrap=True))
        self._has_room = has_room

    def render(self, task: Task) -> Text:
        if task.fields["state"] in (values.TransferState.EXISTS, values.TransferState.RETRYING):
            return Text(task.fields["state"])
        if task.total is None or not task.fields["sized"]:
            return Text("done" if task.finished else "")
        if task.finished:
            return Text(size(task.total))
        speed = f"  {size(task.speed)}/s" if task.speed and self._has_room else ""
        return Text(f"{_part(task.completed, task.total)}{speed}")


def _part(done: float, total: float) -> str:
    """The done part and the whole: `98.4/164 MB`, `900 kB/1.20 MB`."""
    number, unit = size(done).split()
    whole = size(total)
    return f"{number if whole.endswith(f' {unit}') else f'{number} {unit}'}/{whole}"


class TransferDisplay:
    """Shows each step of one transfer on stderr while it lasts."""

    def __init__(self) -> None:
        console = Console(stderr=True, highlight=False)
        has_room = console.width >= _NARROW
        bar = [] if not has_room else [_Bar(bar_width=min(30, console.width - _BESIDE_BAR))]
        self._progress = Progress(
            TextColumn("  {task.description}"),
            SpinnerColumn(finished_text=" "),
            *bar,
            _Bytes(has_room=has_room),
            TimeElapsedColumn(),
            console=console,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._progress.tasks:
            if error is not None and not task.finished:
                # An interrupted layer makes no more progress.
                self._progress.update(task.id, visible=False)
        self._progress.stop()

    def show(self, step: values.Progress) -> None:
        """Show one step."""
        if step.layer is None:
            return
        if step.layer not in self._tasks:
            self._tasks[step.layer] = self._progress.add_task(step.layer, total=None, state=step.state, sized=False)
        task = self._tasks[step.layer]
        self._progress.update(task, total=step.total, completed=step.current, state=step.state)
        if step.total is not None:
            self._progress.update(task, sized=True)
        if step.state in (values.TransferState.DONE, values.TransferState.EXISTS):
            # A bar needs a total to look full, even if the engine gave none.
            total = self._progress.tasks[task].total or 1
            self._progress.update(task, total=total, completed=total)
            self._progress.stop_task(task)
