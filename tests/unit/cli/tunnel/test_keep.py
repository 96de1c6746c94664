from __future__ import annotations

import signal
import subprocess
import sys

SIGNALLED_ELSEWHERE = """
import os, signal, sys, threading
from localreg.cli.tunnel.keep import _stops

stops = _stops()
main = threading.get_ident()
never = threading.Lock()
never.acquire()

def listen():
    print(next(stops), flush=True)
    os._exit(0)

def send():
    # Its last line: it waits, and has no more to do before that.
    while sys._current_frames()[main].f_lineno != int(sys.argv[1]):
        pass
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
    never.acquire()

for work in (listen, send):
    threading.Thread(target=work, daemon=True).start()
never.acquire(timeout=60)
"""


def test_a_signal_is_heard_though_the_main_thread_waits_and_is_not_woken() -> None:
    last_line = str(len(SIGNALLED_ELSEWHERE.splitlines()))
    command = [sys.executable, "-c", SIGNALLED_ELSEWHERE, last_line]
    heard = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    assert heard.stdout == f"{signal.SIGTERM.value}\n"
