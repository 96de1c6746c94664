"""Commands in a container, of which an engine that hangs must not block this process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from queue import Empty, Queue

from localreg.errors import EngineLostError

_AHEAD = 64
"""Pieces of output that are read before they are wanted."""


def run_patiently(
    run: Callable[[Sequence[str]], Iterator[bytes]], command: Sequence[str], *, seconds: float
) -> Iterator[bytes]:
    """Run a command in a container, and stream what it writes to stdout.

    Args:
        run: Runs it.
        command: The program and its arguments.
        seconds: How long to wait for the next output, or for the end.

    Raises:
        EngineLostError: nothing came for so long.
        EngineError: the command failed.
    """
    received: Queue[bytes | BaseException | None] = Queue(_AHEAD)

    def read() -> None:
        try:
            for data in run(command):
                received.put(data)
        except BaseException as exc:  # noqa: BLE001 -- handed to the thread that waits
            received.put(exc)
        else:
            received.put(None)

    threading.Thread(target=read, daemon=True).start()
    while True:
        try:
            found = received.get(timeout=seconds)
        except Empty:
            message = f"a command in the registry's container wrote nothing for {seconds:g} seconds"
            raise EngineLostError(message) from None
        if found is None:
            return
        if isinstance(found, BaseException):
            raise found
        yield found
