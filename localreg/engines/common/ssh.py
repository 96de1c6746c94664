"""An engine behind ssh, as the `docker` program reaches it: HTTP through `ssh HOST docker system dial-stdio`.

Both SDKs can use ssh as well. Docker's overrides `Port` in `ssh_config`, accepts neither an IPv6 address nor the path
of a socket, ignores timeouts, and needs paramiko. Podman's accepts any host key but no IPv6 address, and waits for
minutes.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import shlex
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable
from typing import Any

import requests.adapters
import urllib3.connection
import urllib3.connectionpool

from localreg.engines.values import Endpoint
from localreg.system.ssh import SshAddress

_CONNECT_SECONDS = 10
_UNCHECKED = ("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null")
"""For a virtual machine behind a port of this machine's loopback, whose host key is new each time; as `podman` does."""
_END_SECONDS = 3.0
_IGNORES_CTRL_C = ("sh", "-c", 'trap "" INT; exec "$@"', "sh")
"""Starts a program that Ctrl-C does not end, so that localreg can still clean up. It keeps the terminal, to ask for a
password."""


def dial_command(endpoint: Endpoint, *there: str) -> list[str]:
    """The command whose input and output lead to the engine.

    Args:
        endpoint: The engine's, behind ssh.
        there: The command on its machine.

    Raises:
        ValueError: the URL is invalid.
    """
    address = SshAddress.parse(endpoint.url)
    key = ["-i", str(endpoint.identity)] if endpoint.identity else []
    unchecked = _UNCHECKED if endpoint.is_machine else ()
    options = ["-T", "-o", f"ConnectTimeout={_CONNECT_SECONDS}", *unchecked, *key]
    return ["ssh", *options, *address.arguments, shlex.join(there)]


class _Stream:
    """A running `ssh`, whose input and output are a socket of this process."""

    def __init__(self, command: list[str]) -> None:
        if shutil.which(command[0]) is None:
            raise FileNotFoundError(errno.ENOENT, f"the program `{command[0]}` is not installed")
        self.socket, end = socket.socketpair()
        # A file, because a pipe that is not read would block `ssh`.
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 -- closed in `end`
        with end:
            self._process = subprocess.Popen(  # noqa: S603 -- the host comes after `--`
                [*_IGNORES_CTRL_C, *command], stdin=end.fileno(), stdout=end.fileno(), stderr=self._said
            )

    def failure(self) -> ConnectionError | None:
        """The last message of `ssh`, or of the program there; None if neither failed, so that the engine closed it."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_SECONDS)
        if not self._process.returncode:
            return None
        self._said.seek(0)
        said = self._said.read().decode(errors="backslashreplace").split("\n")
        last = next((line.strip() for line in reversed(said) if line.strip()), None)
        return ConnectionResetError(errno.ECONNRESET, last or f"`ssh` failed with exit code {self._process.returncode}")

    def end(self) -> None:
        """End `ssh`, and wait for it."""
        self.socket.close()
        self._process.terminate()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._said.close()


class _Connection(urllib3.connection.HTTPConnection):
    def __init__(self, dial: Callable[[], _Stream], **options: Any) -> None:
        super().__init__(**options)
        self._dial = dial
        self._stream: _Stream | None = None

    def connect(self) -> None:
        self._stream = self._dial()
        self.sock = self._stream.socket
        self.sock.settimeout(self.timeout)

    def getresponse(self) -> Any:
        try:
            return super().getresponse()
        except ConnectionError as exc:
            reason = (self._stream and self._stream.failure()) or exc
        # Not in the block above: the error there would become its context, and pass for the reason.
        raise reason


class SshAdapter(requests.adapters.HTTPAdapter):
    """Sends every request of one or more clients through ssh; each connection is one login.

    Args:
        command: The result of `dial_command`.
    """

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self._streams: list[_Stream] = []
        # Any name will do: all connections lead to one engine.
        self._pool = urllib3.connectionpool.HTTPConnectionPool("engine")
        self._pool.ConnectionCls = functools.partial(_Connection, self._dial)  # type: ignore[assignment]  # makes one
        super().__init__()

    def _dial(self) -> _Stream:
        stream = _Stream(self._command)
        self._streams.append(stream)
        return stream

    def get_connection_with_tls_context(self, *_: Any, **__: Any) -> urllib3.connectionpool.HTTPConnectionPool:
        """The same connections for every URL."""
        return self._pool

    def send(self, *arguments: Any, **options: Any) -> requests.Response:
        """Send a request; a proxy in the environment is not for the engine."""
        return super().send(*arguments, **{**options, "proxies": None})

    def close(self) -> None:
        """Close the connections, and end each `ssh`."""
        super().close()
        self._pool.close()
        while self._streams:
            self._streams.pop().end()
