"""Found first on PYTHONPATH, this notes every step of a Python program that changes something, and kills it at one.

The steps are what the interpreter itself reports: requests that are more than questions, changes to the file system,
and processes that are started. Each line of the record is a moment at which a kill may come: a step was `begun`, as a
request whose body is long, or `sent`, as a request without its answer, or `done`, right before whatever comes next.
"""

from __future__ import annotations

import atexit
import http.client
import json
import os
import re
import signal
import stat
import sys
import threading
from pathlib import Path
from typing import Any

_HEAD = re.compile(rb"([A-Z]+) (\S+) HTTP/1\.1\r\n")
_QUESTIONS = ("GET", "HEAD")
_WRITING = os.O_WRONLY | os.O_RDWR
_SECOND_BLOCK = 2
_MAKING = {"os.mkdir": 0, "os.link": 1, "os.symlink": 1}
"""Which argument is the path that is made."""
_TAKING = ("os.remove", "os.rmdir")
_CHANGING = ("os.rename", "os.chmod", "os.chown", "os.truncate", "os.kill", "os.killpg", "os.setxattr")
_STARTING = ("subprocess.Popen", "os.posix_spawn", "os.exec", "os.system", "os.fork", "os.forkpty")


class _Sending(threading.local):
    """The request that a thread is sending: another thread may ask a question meanwhile."""

    def __init__(self) -> None:
        self.request: str | None = None
        self.blocks = 0


class Recorder:
    """Notes the moments, and ends the process at one of them.

    Args:
        file: Where they are noted: a descriptor.
        fatal: The number of the moment to end at; None for none.
    """

    def __init__(self, file: int, fatal: int | None) -> None:
        self._file = file
        self._fatal = fatal
        self._moments = 0
        self._step: str | None = None
        self._waiting: int | None = None
        """The thread whose request is the step and has no answer yet: a question of another thread does not end it."""
        self._sending = _Sending()
        self._noting = threading.RLock()

    def watch(self, event: str, arguments: tuple[Any, ...]) -> None:
        """See an event of the interpreter, which comes right before what it reports is done."""
        if event == "http.client.send":
            self._see_data(arguments[1])
        elif event == "socket.connect":
            self.finish()
        elif event == "shell.sent":
            # A program under test raises it itself: the interpreter reports no data of an open connection.
            self.finish()
            self._note("sent", f"shell {arguments[0]}")
        elif (step := _change(event, arguments)) and step != self._step:
            self.finish()
            self._step = step

    def finish(self) -> None:
        """Something else comes now: the step before it is done."""
        with self._noting:
            if self._step is not None and self._waiting in (None, threading.get_ident()):
                step, self._step = self._step, None
                self._note("done", step)

    def request_sent(self) -> None:
        """The answer to a request comes now."""
        if self._sending.request is not None:
            self._waiting = threading.get_ident()
            self._step, self._sending.request = self._sending.request, None
            self._note("sent", self._step)

    def answer_came(self) -> None:
        """A request has its answer, at least the beginning."""
        if self._waiting == threading.get_ident():
            self._waiting = None

    def _see_data(self, data: bytes) -> None:
        head = _HEAD.match(data)
        if head is None:
            self._sending.blocks += 1
            if self._sending.request is not None and self._sending.blocks == _SECOND_BLOCK:
                self._note("begun", self._sending.request)
            return
        self.finish()
        method, path = (part.decode() for part in head.groups())
        self._sending.request = None if method in _QUESTIONS else f"{method} {path}"
        self._sending.blocks = 0

    def _note(self, moment: str, step: str) -> None:
        with self._noting:
            os.write(self._file, json.dumps([moment, step]).encode() + b"\n")
            if self._moments == self._fatal:
                signal.raise_signal(signal.SIGKILL)
            self._moments += 1


def _change(event: str, arguments: tuple[Any, ...]) -> str | None:
    """What an event changes, in words; None where everything stays as it is."""
    if event == "open":
        path, _, flags = arguments
        return f"open {path}" if flags & _WRITING and _is_file_to_write(path) else None
    name = event.rpartition(".")[2]
    if event in _STARTING:
        return f"{name} {' '.join(map(os.fsdecode, arguments[1])) if event == 'subprocess.Popen' else arguments}"
    if event == "os.rename":
        return f"{name} {arguments[0]} to {arguments[1]}"
    is_change = (
        event in _CHANGING
        or (event in _MAKING and not os.path.lexists(arguments[_MAKING[event]]))
        or (event in _TAKING and os.path.lexists(arguments[0]))
    )
    return f"{name} {arguments[0]}" if is_change else None


def _is_file_to_write(path: Any) -> bool:
    """No device, no folder, in which a file without a name is made, and none that is empty and stays so as yet."""
    if isinstance(path, int):
        # It was opened before.
        return False
    try:
        found = Path(os.fsdecode(path)).stat()
    except FileNotFoundError:
        return True
    return stat.S_ISREG(found.st_mode) and found.st_size > 0


def _record(path: str, fatal: str) -> None:
    recorder = Recorder(os.open(path, os.O_WRONLY | os.O_APPEND), int(fatal) if fatal else None)
    answer = http.client.HTTPConnection.getresponse

    def getresponse(self: http.client.HTTPConnection) -> http.client.HTTPResponse:
        recorder.request_sent()
        try:
            return answer(self)
        finally:
            recorder.answer_came()

    http.client.HTTPConnection.getresponse = getresponse  # type: ignore[method-assign]  # no event comes before it
    # What is registered first is done last.
    atexit.register(recorder.finish)
    sys.addaudithook(recorder.watch)


if "STEPS_RECORD" in os.environ:
    _record(os.environ["STEPS_RECORD"], os.environ.get("STEPS_FATAL", ""))
