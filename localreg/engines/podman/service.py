"""A Podman service that localreg starts if Podman has no socket; and the socket of a Podman machine.

Each service has its own socket, because a service that ends removes its path even if another one listens there by then.
A lock lets one process at a time start a service. A service without connections ends after a while.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import http.client
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from localreg.engines.values import Endpoint
from localreg.errors import EngineError
from localreg.system.programs import ProgramError, run
from localreg.system.runtime_folder import possible_folders, runtime_folder
from localreg.system.unix_socket import (
    UnixHTTPConnection,
    count_connections,
    count_own_connections,
    find_listener,
    is_deserted,
)
from localreg.system.waiting import wait_until

_IDLE_SECONDS = 60
START_SECONDS = 15.0
"""Timeout of the start of a service."""
_POLL_SECONDS = 0.02
_PING_SECONDS = 5.0
_CLOSING_SECONDS = 1.0
_LONGEST_NAME = "podman-01234567-01234567.sock"
_LOG_LINES = 5


def machine_endpoint(program: str) -> Endpoint | None:
    """The socket of the running Podman machine; None on Linux, where Podman needs no virtual machine.

    Raises:
        EngineError: the machine does not exist or is not running.
    """
    if sys.platform == "linux":
        return None
    try:
        found = run(
            *(program, "machine", "inspect", "--format", "{{.ConnectionInfo.PodmanSocket.Path}}"), seconds=START_SECONDS
        )
    except ProgramError as exc:
        raise EngineError(f"`{program} machine inspect` failed", details=[str(exc)]) from exc
    path = found.out.strip()
    if found.code != 0 or not path:
        raise EngineError(
            "the Podman machine is not running", hint="podman machine start", details=found.err.splitlines()
        )
    return Endpoint(f"unix://{path}", is_machine=True)


def private_service(program: str, *, idle_seconds: int = _IDLE_SECONDS) -> Endpoint:
    """A Podman service for this user: the running one, otherwise a new one.

    Args:
        program: The `podman` program.
        idle_seconds: How long a new one keeps running without connections.

    Raises:
        EngineError: it cannot be started; with the program's output.
        LocalregError: no folder can be used for its socket.
    """
    folder = runtime_folder(_LONGEST_NAME)
    try:
        with _lock(folder):
            socket = _running(folder) or _start(program, folder, idle_seconds)
    except OSError as exc:
        raise EngineError(f"cannot start `{program} system service`", details=[str(exc)]) from exc
    return Endpoint(f"unix://{socket}", private=True)


def end_hanging_service(endpoint: Endpoint) -> None:
    """End a service in which a request of this process hangs, unless other processes use it.

    The service then accepts no new connections, so that the next localreg starts another one.

    Args:
        endpoint: The service's. This process must have closed its connections as far as it can.
    """
    socket = str(endpoint.socket)

    def is_ours_alone() -> bool:
        return count_connections(socket) == count_own_connections(socket)

    with contextlib.suppress(OSError):
        # The service takes a moment to notice closed connections.
        if count_own_connections(socket) and wait_until(is_ours_alone, seconds=_CLOSING_SECONDS):
            os.kill(find_listener(socket, seconds=_PING_SECONDS), signal.SIGTERM)


def find_private_socket() -> Path | None:
    """The socket of a service that still responds; creates and removes nothing."""
    for folder in possible_folders():
        for socket in sorted(folder.glob(f"podman-{_configuration()}-*.sock")):
            if _answers(socket):
                return socket
    return None


def _running(folder: Path) -> Path | None:
    """The socket of a running service; removes deserted sockets before it."""
    for socket in sorted(folder.glob("podman-*.sock")):
        if not _answers(socket):
            # One that is busy or hangs may serve another process.
            if is_deserted(str(socket)):
                socket.unlink(missing_ok=True)
        elif socket.name.startswith(f"podman-{_configuration()}-"):
            return socket
    return None


def _start(program: str, folder: Path, idle_seconds: int) -> Path:
    socket = folder / f"podman-{_configuration()}-{secrets.token_hex(4)}.sock"
    log = folder / "podman.log"
    with open(log, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as output:
        service = subprocess.Popen(  # noqa: S603 -- the program on PATH, with fixed arguments
            [program, "system", "service", f"--time={idle_seconds}", f"unix://{socket}"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            # In its own session, so that Ctrl-C and the end of the terminal do not end it.
            start_new_session=True,
        )
    deadline = time.monotonic() + START_SECONDS
    while not _answers(socket):
        code = service.poll()
        if code is not None or time.monotonic() > deadline:
            # Rootless Podman is two processes.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(service.pid, signal.SIGKILL)
            service.wait()
            reason = "did not start in time" if code is None else f"ended with exit code {code}"
            lines = log.read_text(errors="backslashreplace").splitlines()[-_LOG_LINES:]
            raise EngineError(
                f"`podman system service` {reason}{': ' + lines[-1] if lines else ''}",
                hint="podman info",
                details=lines,
            )
        time.sleep(_POLL_SECONDS)
    # The service outlives this process; this stops Python from waiting for it.
    service.returncode = 0
    return socket


def _configuration() -> str:
    """A hash of the variables that configure Podman: a service keeps the configuration of its start."""
    named = sorted(
        (name, value)
        for name, value in os.environ.items()
        if name == "HOME" or name.startswith(("CONTAINERS_", "STORAGE_", "XDG_"))
    )
    return hashlib.sha256(repr(named).encode()).hexdigest()[:8]


def _answers(socket: Path) -> bool:
    connection = UnixHTTPConnection(str(socket), timeout=_PING_SECONDS)
    try:
        connection.request("GET", "/_ping")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


@contextlib.contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Let in one process at a time; the system releases the lock when the process ends for any reason."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
