"""A tunnel through a program such as ngrok."""

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
from localreg.oci.ping import is_answer_of_registry, trusting_anyone
from localreg.system import processes
from localreg.tunnels.files import MARK, TunnelFiles
from localreg.tunnels.keep.link import Pause, Sight
from localreg.tunnels.spec import TunnelSpec

_START_SECONDS = 30.0
"""How long a program gets until the registry answers through it."""
_LOOK_SECONDS = 10.0
_POLL_SECONDS = 0.2
_MOST_LINES = 20
_ASKS_FOR_LOGIN = 401


class ProgramLink:
    """A tunnel through a program."""

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
            TunnelError: the program cannot be started or has ended, or the registry does not answer in time; with the
                program's output.
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
        """Send a request to the URL, with a timeout for the whole response."""
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
            # A program that passes TLS on leads to the registry's own certificate.
            context = trusting_anyone() if self._spec.speaks_tls and url.startswith("https:") else None
            with urllib.request.urlopen(url, timeout=_LOOK_SECONDS, context=context) as answer:  # noqa: S310 -- checked
                status, headers = answer.status, answer.headers
        except urllib.error.HTTPError as exc:
            status, headers = exc.code, exc.headers
            exc.close()
        except (OSError, http.client.HTTPException, ValueError):
            return "silent"
        if is_answer_of_registry(status, headers):
            return "answers"
        # A proxy in front of the registry asks for a password.
        return "prohibited" if status == _ASKS_FOR_LOGIN and "WWW-Authenticate" in headers else "silent"

    def has_ended(self) -> bool:
        """Whether the program has ended."""
        return self._process is not None and self._process.poll() is not None

    def ended_because(self) -> str:
        """The program's exit code, as a reason."""
        code = None if self._process is None else self._process.poll()
        return "it ended" if code is None else f"`{self._spec.command[0]}` ended with exit code {code}"

    def connections(self) -> None:
        """Unknown."""

    def is_busy(self) -> bool:
        """Unknown."""
        return False

    def abort(self) -> None:
        """Stop waiting for a response, and end the program."""
        self._aborted = True
        self._answered.set()
        process = self._process
        if process is not None:
            processes.send(process, signal.SIGTERM)

    def close(self) -> None:
        """End the program and its child processes."""
        process, self._process = self._process, None
        self._asking = None
        if process is None:
            return
        processes.end(process)
        # Also processes that left the program's process group.
        self._files.end_processes()
        if self._reader is not None:
            self._reader.join(1)

    def _start(self) -> None:
        self._lines.clear()
        try:
            self._process = subprocess.Popen(  # noqa: S603 -- the user's command
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
