"""Threads that leave signals to the main thread: one that another takes does not wake it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable


def start_thread(work: Callable[[], None], name: str) -> threading.Thread:
    """Start a thread that does not keep the program from ending."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        thread = threading.Thread(target=work, name=name, daemon=True)
        # It has the mask of whoever starts it.
        thread.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return thread
