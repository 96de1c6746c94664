"""The tunnel that a given program makes, such as ngrok: kept and looked at like one through `ssh`."""

from __future__ import annotations

import http.client
import os
import shlex
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Callable

from localreg.errors import TunnelError, reason_of
from localreg.oci.ping import is_answer_of_registry
from localreg.system import processes
from localreg.tunnels.files import MARK, TunnelFiles
from localreg.tunnels.keep.link import Pause, Sight
from localreg.tunnels.spec import TunnelSpec

_START_SECONDS = 30.0
"""How long a program may take until the registry answers through it."""
_LOOK_SECONDS = 10.0
_POLL_SECONDS = 0.2
_MOST_LINES = 20
_ASKS_FOR_LOGIN = 401


class ProgramLink:
    """A tunnel through a program that was given."""

    notices_its_end = False

    def __init__(
        self, spec: TunnelSpec, files: TunnelFiles, *, news: Callable[[], None], log: Callable[[str], None]
    ) -> None:
        self._spec = spec
        self._files = files
        self._news = news
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._lines: deque[str] = deque(maxlen=_MOST_LINES)
        self._reader: threading.Thread | None = None
        self._asking: threading.Thread | None = None
        self._answered = threading.Event()
        self._aborted = False

    def establish(self, pause: Pause) -> None:
        """Start the program, and wait until the registry answers through it.

        Raises:
            TunnelError: it cannot be started, ended, or nothing answers in time; with its own words.
        """
        if self._process is None or self.has_ended():
            self.close()
            self._start()
        deadline = time.monotonic() + _START_SECONDS
        while self.look() == "silent":
            if self.has_ended():
                raise self._failure(self.ended_because())
            if time.monotonic() > deadline:
                self.close()
                raise self._failure(f"the registry does not answer at {self._spec.probe_url}")
            pause(_POLL_SECONDS)

    def look(self) -> Sight:
        """Ask at the URL that was given, as anybody would; an answer that drips in is none."""
        if self._aborted or (self._asking is not None and self._asking.is_alive()):
            return "silent"
        sights: list[Sight] = []
        self._answered.clear()

        def ask() -> None:
            sights.append(self._ask())
            self._answered.set()

        self._asking = threading.Thread(target=ask, name="look", daemon=True)
        self._asking.start()
        if not self._aborted:
            self._answered.wait(_LOOK_SECONDS)
        return sights[0] if sights else "silent"

    def _ask(self) -> Sight:
        url = f"{(self._spec.probe_url or '').rstrip('/')}/v2/"
        try:
            with urllib.request.urlopen(url, timeout=_LOOK_SECONDS) as answer:  # noqa: S310 -- http or https: checked
                status, headers = answer.status, answer.headers
        except urllib.error.HTTPError as exc:
            status, headers = exc.code, exc.headers
            exc.close()
        except (OSError, http.client.HTTPException, ValueError):
            return "silent"
        if is_answer_of_registry(status, headers):
            return "answers"
        # Something before the registry, which shows it to those who have a password.
        return "prohibited" if status == _ASKS_FOR_LOGIN and "WWW-Authenticate" in headers else "silent"

    def has_ended(self) -> bool:
        """Whether the program ended."""
        return self._process is not None and self._process.poll() is not None

    def ended_because(self) -> str:
        """Its exit code."""
        code = None if self._process is None else self._process.poll()
        return "it is gone" if code is None else f"`{self._spec.command[0]}` ended with exit code {code}"

    def connections(self) -> None:
        """It does not say."""

    def is_busy(self) -> bool:
        """It does not say."""
        return False

    def abort(self) -> None:
        """Wait for no answer any more, and have the program end."""
        self._aborted = True
        self._answered.set()
        process = self._process
        if process is not None:
            processes.send(process, signal.SIGTERM)

    def close(self) -> None:
        """End the program, and what it started."""
        process, self._process = self._process, None
        self._asking = None
        if process is None:
            return
        processes.end(process)
        # Also what has made itself independent of it.
        self._files.end_processes()
        if self._reader is not None:
            self._reader.join(1)

    def _start(self) -> None:
        self._lines.clear()
        try:
            self._process = subprocess.Popen(  # noqa: S603 -- the user named it
                self._spec.command,
                env={**os.environ, MARK: str(self._files.spec)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as exc:
            raise TunnelError(
                f"cannot run `{self._spec.command[0]}`: {reason_of(exc)}",
                hint=f"command -v {shlex.quote(self._spec.command[0])}",
            ) from exc
        self._reader = threading.Thread(target=self._read, args=(self._process,), name="program", daemon=True)
        self._reader.start()

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        if process.stdout is None:
            return
        for line in processes.lines_of(process.stdout):
            self._lines.append(line)
            self._log(f"{self._spec.host}: {line}")
        process.wait()
        self._news()

    def _failure(self, reason: str) -> TunnelError:
        self.close()
        return TunnelError(reason, hint=shlex.join(self._spec.command), details=list(self._lines)[-5:])
