"""The process that keeps a tunnel open.

The typed command finds the registry, for which it loads an engine's SDK. Then it becomes, or starts, a process without
an SDK, because that process can run for weeks.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from localreg.errors import INTERRUPTED, TERMINATED, TunnelError
from localreg.system.command_line import CommandLine
from localreg.tunnels.files import MARK, TunnelFiles, files_of
from localreg.tunnels.keep.program import ProgramLink
from localreg.tunnels.keep.supervisor import Supervisor
from localreg.tunnels.spec import TunnelSpec, TunnelStatus
from localreg.tunnels.ssh.link import SshLink

_LONGEST_LOG = 1 << 20


def claim(spec: TunnelSpec) -> tuple[TunnelFiles, int] | None:
    """Lock a tunnel, and end the remains of an earlier one whose process was killed.

    Returns:
        The tunnel's files and the descriptor that holds their lock; None if a process already keeps the tunnel open.
    """
    files = files_of(spec)
    descriptor = files.claim()
    if descriptor is None:
        return None
    resumed = replace(spec, resumes=files.end_left())
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, resumed.to_json().encode(), 0)
    return files, descriptor


def become(arguments: Sequence[str], files: TunnelFiles, lock: int) -> None:
    """Become the process that keeps the tunnel open.

    Args:
        arguments: Arguments for localreg, without the lock.
        files: The tunnel's.
        lock: The descriptor of its lock.
    """
    os.set_inheritable(lock, True)  # noqa: FBT003 -- its signature
    words = _command(arguments, lock)
    os.execve(words[0], words, _environment(files))  # noqa: S606 -- this program


def start(arguments: Sequence[str], files: TunnelFiles, lock: int) -> int | None:
    """Start the process that keeps the tunnel open, and wait until it is.

    Args:
        arguments: Arguments for localreg, without the lock.
        files: The tunnel's.
        lock: The descriptor of its lock, which is closed here.

    Returns:
        None if the tunnel is open, otherwise the exit code of the process, which has reported the error.

    Raises:
        TunnelError: the process was ended from outside.
    """
    ready, done = os.pipe()
    process = subprocess.Popen(  # noqa: S603 -- this program
        [*_command(arguments, lock), "--ready", str(done)],
        stdin=subprocess.DEVNULL,
        env=_environment(files),
        pass_fds=(lock, done),
        # In its own session, so that Ctrl-C and the end of the terminal do not end it.
        start_new_session=True,
    )
    os.close(done)
    os.close(lock)
    try:
        with os.fdopen(ready, "rb") as waiting:
            if waiting.read():
                # The process outlives this one; this stops Python from waiting for it.
                process.returncode = 0
                return None
        code = process.wait()
    except BaseException:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        process.wait()
        raise
    if code < 0 or code in (INTERRUPTED, TERMINATED):
        raise TunnelError("the process of the tunnel was ended before it was open", hint=CommandLine("tunnel", "ls"))
    return code


def detach(ready: int, log: Path) -> None:
    """Tell the waiting process that the tunnel is open, and write all further output to the log."""
    try:
        output = _open_log(log)
    except OSError:
        output = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with suppress(BrokenPipeError):
            stream.flush()
        os.dup2(output, stream.fileno())
    os.close(output)
    with suppress(BrokenPipeError):
        os.write(ready, b"open")
    os.close(ready)


def write_log(log: Path, text: str) -> None:
    """Write a line to the log of a process in the background; a log that is too long is emptied first."""
    line = f"{datetime.now(UTC).isoformat(timespec='seconds')} {text}\n"
    # A full disk must not end the tunnel.
    with suppress(OSError), os.fdopen(_open_log(log), "wb") as output:
        if os.fstat(output.fileno()).st_size > _LONGEST_LOG:
            output.truncate(0)
        output.write(line.encode(errors="backslashreplace"))


def _open_log(log: Path) -> int:
    return os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def keep(
    lock: int,
    *,
    background: bool,
    changed: Callable[[TunnelStatus], None],
    log: Callable[[str], None],
    stops: Iterator[int],
) -> int | None:
    """Keep a tunnel open until it is to be closed.

    Args:
        lock: The descriptor that holds its lock; the spec is read from it.
        background: The process writes to a log.
        changed: Called with each new state.
        log: Called with each line for the log.
        stops: Signals that close the tunnel, as they arrive.

    Returns:
        The signal that closed it; None if it was closed in another way.

    Raises:
        LocalregError: it could not be opened, was closed before that, or an error needs the user.
    """
    files = kept_files()
    spec = TunnelSpec.from_json(os.pread(lock, os.fstat(lock).st_size, 0).decode())
    make_link = ProgramLink if spec.command else SshLink
    supervisor = Supervisor(
        spec,
        files,
        lambda news, say: make_link(spec, files, news=news, log=say),
        changed=changed,
        log=log,
        log_file=str(files.log) if background else None,
        is_lost=lambda: not files.is_locked_by(lock),
    )
    stopped_by = _close_at(stops, supervisor)
    try:
        supervisor.run()
    except BaseException:
        # If the tunnel was open, only its log says why it ended.
        _remove(files, lock, keep_log=supervisor.was_open)
        raise
    _remove(files, lock, keep_log=False)
    if stopped_by:
        return stopped_by[0]
    if not supervisor.was_open:
        raise TunnelError("the tunnel was closed before it was open", hint=spec.as_typed())
    return None


def _close_at(stops: Iterator[int], supervisor: Supervisor) -> list[int]:
    """Close the tunnel at a signal; adds each signal to the returned list."""
    stopped_by: list[int] = []

    def heed() -> None:
        for number in stops:
            stopped_by.append(number)
            supervisor.close()

    threading.Thread(target=heed, name="signals", daemon=True).start()
    return stopped_by


def _remove(files: TunnelFiles, lock: int, *, keep_log: bool) -> None:
    """Remove a tunnel's files, unless they were already removed and the paths belong to another tunnel."""
    if not files.is_locked_by(lock):
        return
    if not keep_log:
        files.log.unlink(missing_ok=True)
    files.remove()


@cache
def kept_files() -> TunnelFiles:
    """The files of the tunnel that this process keeps open."""
    # The mark is only for processes of the tunnel, not for example for a Podman service.
    return TunnelFiles(Path(os.environ.pop(MARK)))


def _command(arguments: Sequence[str], lock: int) -> list[str]:
    # -P keeps the current folder, which can be any project, off the module path.
    return [sys.executable, "-P", "-m", "localreg", *arguments, "--lock", str(lock)]


def _environment(files: TunnelFiles) -> dict[str, str]:
    return {**os.environ, MARK: str(files.spec)}
