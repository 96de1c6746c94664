"""Commands in containers, started by shells that stay open there.

An engine takes up to a fifth of a second to start a process in a container, and a shell there less than a millisecond.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import shlex
import socket
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any, NoReturn

import urllib3.util

from localreg.engines.common.log_frames import iter_log_chunks
from localreg.engines.common.reasons import reason_for_loss
from localreg.errors import EngineError, EngineLostError
from localreg.system.command_line import Sentence
from localreg.system.waiting import wait_until

SHELL = ["sh"]
"""The command that is started; it reads commands from stdin."""
UPGRADE = {"Connection": "Upgrade", "Upgrade": "tcp"}
"""Headers of the request that starts it: a proxy before the engine can pass on what follows, both ways."""
_START_SECONDS = 0.1
"""About how long that takes an engine."""
_NOT_STARTED = (126, 127)
"""What an engine gives as the exit code of a program that the container does not have."""
_KILLED = 137
"""What it gives for one that was killed, as all in a container are when it stops."""
_END_SECONDS = 5.0
"""An engine may close the output a moment before it knows that the shell has ended."""
_CHUNK = 64 << 10
"""Bytes to read at once."""
_ERROR_BYTES = 4096
"""How much of a command's stderr is kept."""


_LOST = "the connection to the engine broke while a command ran in a container"


class OpenShell:
    """A shell in a container, which runs one command after another until it is closed.

    Args:
        response: What the engine responded to its start; the same connection takes the shell's stdin.
        inspect: Asks the engine about the shell: `Running` and `ExitCode`, or None if it has forgotten it.

    Raises:
        EngineLostError: a proxy passes on nothing more to it.
    """

    def __init__(self, response: Any, *, inspect: Callable[[], Mapping[str, Any] | None]) -> None:
        self._response = response
        # Docker and Podman answer 200 only to a request without the headers, and a proxy then passes on no input.
        if response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
            response.close()
            raise EngineLostError(
                "a proxy before the engine does not pass on the input of a command in a container",
                hint=Sentence(
                    "let the proxy pass on the headers `Connection` and `Upgrade`, or use the engine without it"
                ),
            )
        # Found as Docker's SDK finds it: neither requests nor urllib3 gives it, and a response that upgrades the
        # connection has no body for them.
        stream = response.raw._fp.fp  # noqa: SLF001
        self._socket = stream.raw._sock  # noqa: SLF001
        self._chunks = iter_log_chunks(iter(partial(stream.read1, _CHUNK), b""))
        self._inspect = inspect
        self._is_idle = True
        self._was_ended = False

    @property
    def is_idle(self) -> bool:
        """It waits for a command. One that has ended has closed its connection."""
        return self._is_idle and not urllib3.util.wait_for_read(self._socket, timeout=0)

    def run(self, command: Sequence[str]) -> Iterator[bytes]:
        """Begin a command, and stream what it writes to stdout.

        Raises:
            EngineError: the command failed; raised after its output.
            EngineLostError: the connection broke before the end of the output.
        """
        self._is_idle = False
        # The shell writes it after the command's own output, to stdout and to stderr. A command cannot know it.
        mark = secrets.token_hex(16).encode()
        # An argument may be a path that is not UTF-8.
        line = shlex.join(command).encode(errors="surrogateescape")
        with contextlib.suppress(OSError):  # The output tells more.
            self._socket.sendall(b"%b </dev/null; printf '\\n%b %%03d' $?; printf %b >&2\n" % (line, mark, mark))
        return self._read(mark)

    def _read(self, mark: bytes) -> Iterator[bytes]:
        status = re.compile(rb"\n%b (\d{3})" % mark)
        size = len(mark) + 5
        last = errors = b""
        while not ((found := status.fullmatch(last)) and errors.endswith(mark)):
            try:
                chunk = next(self._chunks, None)
            except OSError as exc:
                raise EngineLostError(_LOST, details=[reason_for_loss(exc)]) from exc
            if chunk is None:
                self._check_end(errors)
            if chunk.stream == "stderr":
                errors = (errors + chunk.data)[-_ERROR_BYTES:]
                continue
            last += chunk.data
            if len(last) > size:
                yield last[:-size]
                last = last[-size:]
        self._is_idle = True
        _check_exit_code(int(found[1]), errors.removesuffix(mark))

    def _check_end(self, errors: bytes) -> NoReturn:
        """Tell why the output ended too early."""
        found: Mapping[str, Any] | None = None

        def has_ended() -> bool:
            nonlocal found
            found = self._inspect()
            return found is None or not found["Running"]

        if not self._was_ended and wait_until(has_ended, seconds=_END_SECONDS):
            # Podman forgets it when the container is started again or removed.
            if found is None or found["ExitCode"] == _KILLED:
                raise EngineError(
                    "the container stopped, or its shell was killed, while a command ran there",
                    hint=Sentence("run it again"),
                )
            if found["ExitCode"] in _NOT_STARTED:
                raise EngineError("the container has no shell", details=_lines(errors))
            _check_exit_code(int(found["ExitCode"]), errors)
        raise EngineLostError(_LOST)

    def end(self) -> None:
        """Break the connection, which ends the shell; also while another thread waits for its output."""
        self._was_ended = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection."""
        self.end()
        self._response.close()


def _check_exit_code(code: int, errors: bytes) -> None:
    if code:
        raise EngineError(f"a command in the container failed with exit code {code}", details=_lines(errors))


def _lines(errors: bytes) -> list[str]:
    return errors.decode(errors="backslashreplace").splitlines()


class Shells:
    """The open shells of an engine.

    Args:
        start: Starts one in a container.
    """

    def __init__(self, start: Callable[[str], OpenShell]) -> None:
        self._start = start
        self._open: set[OpenShell] = set()
        self._idle: defaultdict[str, list[OpenShell]] = defaultdict(list)
        self._starting: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._is_closed = False

    def run(self, container_id: str, command: Sequence[str]) -> Iterator[bytes]:
        """Begin a command in a shell that is idle, or in a new one; also in several threads at once."""
        shell = self._take(container_id)
        return self._until_idle(shell, container_id, shell.run(command))

    def _until_idle(self, shell: OpenShell, container_id: str, output: Iterator[bytes]) -> Iterator[bytes]:
        try:
            yield from output
        finally:
            if shell.is_idle:
                with self._changed:
                    self._idle[container_id].append(shell)
                    self._changed.notify_all()
            else:
                self._close(shell)

    def _take(self, container_id: str) -> OpenShell:
        with self._changed:
            idle = self._idle[container_id]
            if self._starting[container_id]:
                # That one is likely to be idle before another one has started.
                self._changed.wait_for(lambda: idle, _START_SECONDS)
            while idle:
                shell = idle.pop()
                if shell.is_idle:
                    return shell
                # Such as after a restart of the container.
                self._close(shell)
            self._starting[container_id] += 1
        try:
            shell = self._start(container_id)
        finally:
            with self._changed:
                self._starting[container_id] -= 1
        with self._changed:
            self._open.add(shell)
            if self._is_closed:
                shell.end()
        return shell

    def _close(self, shell: OpenShell) -> None:
        self._open.discard(shell)
        shell.close()

    def close(self) -> None:
        """End all of them; a thread that waits for one closes it itself."""
        with self._changed:
            self._is_closed = True
            idle = {shell for shells in self._idle.values() for shell in shells}
            self._idle.clear()
        for shell in idle:
            self._close(shell)
        for shell in tuple(self._open):
            shell.end()
