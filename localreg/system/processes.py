"""Processes that lead a process group of their own: signals to them, their end, their output."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from functools import partial
from typing import IO

_END_SECONDS = 3.0
"""How long a process may take to end after SIGTERM."""
_LONGEST_LINE = 1 << 16


def send(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Send a signal to a process and its children, such as the `ssh` to a jump host."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process and its children, with SIGTERM before SIGKILL, and wait for it."""
    send(process, signal.SIGTERM)
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        send(process, signal.SIGKILL)
        process.wait()


def lines_of(stream: IO[bytes]) -> Iterator[str]:
    """The output of a process, line by line, until it closes the stream; an endless line is cut."""
    with stream:
        for line in iter(partial(stream.readline, _LONGEST_LINE), b""):
            yield line.decode(errors="backslashreplace").rstrip()
