"""Reads the output of `ssh -v`: counts messages, and connections from the other machine."""

from __future__ import annotations

import subprocess
import threading
from collections import Counter, deque
from collections.abc import Callable

from localreg.system.processes import lines_of
from localreg.tunnels.ssh import messages

_MOST_LINES = 200
_END_SECONDS = 1.0


class SshOutput:
    """The output of one `ssh` after another."""

    def __init__(self, *counted: str, news: Callable[[], None], log: Callable[[str], None]) -> None:
        self.connections = 0
        """How many connections came from the other machine so far."""
        self._counted = counted
        self._news = news
        self._log = log
        self._lines: deque[str] = deque(maxlen=_MOST_LINES)
        self._counts: Counter[str] = Counter()
        self._logged: set[str] = set()
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self._is_new = False
        self._channels: set[str] = set()

    def follow(self, process: subprocess.Popen[bytes]) -> None:
        """Read the stderr of a process."""
        self._lines.clear()
        self._counts.clear()
        self._channels.clear()
        self._process = process
        self._reader = threading.Thread(target=self._read, args=(process,), name="ssh", daemon=True)
        self._reader.start()
        threading.Thread(target=self._wait_for, args=(process,), name="ssh ends", daemon=True).start()

    def join(self) -> None:
        """Wait until all output of an ended process has been read."""
        if self._reader is not None:
            self._reader.join(_END_SECONDS)

    @property
    def lines(self) -> list[str]:
        """The last lines of output."""
        return list(self._lines)

    def count(self, word: str) -> int:
        """How often the process printed one of the counted texts."""
        return self._counts[word]

    def is_busy(self) -> bool:
        """Whether a client on the other machine is connected."""
        return bool(self._channels)

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        if process.stderr is None:
            return
        for line in lines_of(process.stderr):
            # Another process can hold the stream longer than `ssh`, such as the master of a jump host. Ignore it then.
            if process is self._process:
                self._handle(line)

    def _wait_for(self, process: subprocess.Popen[bytes]) -> None:
        process.wait()
        self._news()

    def _handle(self, line: str) -> None:
        self._lines.append(line)
        for word in self._counted:
            self._counts[word] += word in line
        if messages.is_message(line) and not line.startswith("mux_") and line not in self._logged:
            # Log a message once, however many attempts fail with it.
            self._logged.add(line)
            self._log(f"ssh: {line}")
        if messages.LOGGED_IN in line:
            self._logged.clear()
            self._news()
        self._follow_channels(line)

    def _follow_channels(self, line: str) -> None:
        """Track the connections from the other machine."""
        if messages.FORWARDED in line:
            self.connections += 1
            self._is_new = True
        elif found := messages.CHANNEL.match(line):
            if found["what"] == "free":
                self._channels.discard(found["number"])
            elif self._is_new:
                self._is_new = False
                self._channels.add(found["number"])
                if len(self._channels) == 1:
                    self._news()
