"""The priority of work that others must not wait for."""

from __future__ import annotations

import contextlib
import os

_LOWEST = 19


def give_way() -> None:
    """Let other programs have the processor before this thread; on macOS, before this whole process."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, _LOWEST)
