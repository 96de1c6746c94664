"""What `ssh -v` says, read as it comes: what happened on the way, and who on the far side is connected."""

from __future__ import annotations

import subprocess
import threading
from collections import Counter, deque
from collections.abc import Callable

from localreg.system.processes import lines_of
from localreg.tunnels.ssh import messages as ssh_words

_MOST_LINES = 200
_END_SECONDS = 1.0


class SshOutput:
    """The words of one `ssh` after the other."""

    def __init__(self, *counted: str, news: Callable[[], None], log: Callable[[str], None]) -> None:
        self.connections = 0
        """That came from the far side, of all that were."""
        self._counted = counted
        self._news = news
        self._log = log
        self._lines: deque[str] = deque(maxlen=_MOST_LINES)
        self._heard: Counter[str] = Counter()
        self._told: set[str] = set()
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self._is_new = False
        self._channels: set[str] = set()

    def follow(self, process: subprocess.Popen[bytes]) -> None:
        """Read what a process says on its stderr."""
        self._lines.clear()
        self._heard.clear()
        self._channels.clear()
        self._process = process
        self._reader = threading.Thread(target=self._read, args=(process,), name="ssh", daemon=True)
        self._reader.start()
        threading.Thread(target=self._wait_for, args=(process,), name="ssh ends", daemon=True).start()

    def join(self) -> None:
        """Wait until all of it has been read, from a process that has ended."""
        if self._reader is not None:
            self._reader.join(_END_SECONDS)

    @property
    def lines(self) -> list[str]:
        """The last lines."""
        return list(self._lines)

    def count(self, word: str) -> int:
        """How often the process said a word; one of those that are counted."""
        return self._heard[word]

    def is_busy(self) -> bool:
        """Whether somebody on the far side is connected."""
        return bool(self._channels)

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        if process.stderr is None:
            return
        for line in lines_of(process.stderr):
            # What holds the stream longer than `ssh`, such as the master of a jump host, says nothing of the next.
            if process is self._process:
                self._take_in(line)

    def _wait_for(self, process: subprocess.Popen[bytes]) -> None:
        process.wait()
        self._news()

    def _take_in(self, line: str) -> None:
        self._lines.append(line)
        for word in self._counted:
            self._heard[word] += word in line
        if ssh_words.spoken(line) and not line.startswith("mux_") and line not in self._told:
            # Once, however often it is tried before it comes back.
            self._told.add(line)
            self._log(f"ssh: {line}")
        if ssh_words.LOGGED_IN in line:
            self._told.clear()
            self._news()
        self._follow_channels(line)

    def _follow_channels(self, line: str) -> None:
        """Learn of a connection from the far side, and when it is over."""
        if ssh_words.FORWARDED in line:
            self.connections += 1
            self._is_new = True
        elif found := ssh_words.CHANNEL.match(line):
            if found["what"] == "free":
                self._channels.discard(found["number"])
            elif self._is_new:
                self._is_new = False
                self._channels.add(found["number"])
                if len(self._channels) == 1:
                    self._news()
