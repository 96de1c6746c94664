"""The files of a tunnel in the runtime folder, and the lock that tells whether a process keeps it open.

No process is identified by its number, which the system reuses. The process that keeps the tunnel open holds a lock on
the spec, which the system releases when that process ends for any reason. Processes that were started for the tunnel
have a variable in their environment.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from localreg.system.runtime_folder import runtime_folder
from localreg.tunnels.spec import TunnelSpec

if TYPE_CHECKING:
    import psutil

MARK = "LOCALREG_TUNNEL"
"""The variable in the environment of every process of a tunnel: the path of its spec."""
_LONGEST_NAME = "tunnel-01234567.ssh.0123456789abcdef"
"""The temporary name that `ssh` gives its control socket."""
_END_SECONDS = 3.0
_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class TunnelFiles:
    """The paths of a tunnel's files."""

    spec: Path
    """The file with the spec, locked by the process that keeps the tunnel open."""

    @property
    def control(self) -> Path:
        """The control socket of that process."""
        return self.spec.with_suffix(".sock")

    @property
    def master(self) -> Path:
        """The control socket of `ssh`."""
        return self.spec.with_suffix(".ssh")

    @property
    def back(self) -> Path:
        """The socket that leads through `ssh` to the other machine's port, and so back to the registry."""
        return self.spec.with_suffix(".back")

    @property
    def outside(self) -> Path:
        """The socket that leads to the other machine's port at the address that others use."""
        return self.spec.with_suffix(".out")

    @property
    def log(self) -> Path:
        """The log of a process in the background."""
        return self.spec.with_suffix(".log")

    def claim(self) -> int | None:
        """Take the lock.

        Returns:
            A descriptor that holds the lock as long as any process has it; None if another process holds the lock.
        """
        while True:
            descriptor = os.open(self.spec, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                return None
            # The previous holder may have removed the file in the meantime.
            if self.is_locked_by(descriptor):
                return descriptor
            os.close(descriptor)

    def is_locked_by(self, descriptor: int) -> bool:
        """Whether a descriptor that holds the lock still belongs to the file."""
        try:
            return os.path.samestat(os.fstat(descriptor), self.spec.stat())
        except FileNotFoundError:
            return False

    def read(self) -> TunnelSpec | None:
        """Read the spec; None if it is missing or incomplete."""
        try:
            return TunnelSpec.from_json(self.spec.read_text())
        except (FileNotFoundError, ValueError):
            return None

    def remove_links(self) -> None:
        """Remove the sockets of an `ssh` that has ended. Needs the lock."""
        for path in (self.master, self.back, self.outside):
            path.unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove the tunnel's files except its log. Needs the lock."""
        self.remove_links()
        self.control.unlink(missing_ok=True)
        self.spec.unlink(missing_ok=True)

    def end_left(self) -> bool:
        """End the processes and remove the sockets that a killed process left behind. Needs the lock.

        Returns:
            Whether a killed process left anything behind.
        """
        was_left = self.spec.stat().st_size > 0
        if was_left:
            self.end_processes()
            self.remove_links()
        return was_left

    def end_processes(self) -> None:
        """End every other process of this tunnel: with SIGTERM, then SIGKILL."""
        import psutil  # noqa: PLC0415 -- rarely needed

        left = self._processes()
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.terminate()
        _, stubborn = psutil.wait_procs(left, timeout=_END_SECONDS)
        for process in stubborn:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(stubborn, timeout=_END_SECONDS)

    def _processes(self) -> list[psutil.Process]:
        import psutil  # noqa: PLC0415

        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.pid != os.getpid() and process.environ().get(MARK) == str(self.spec):
                    found.append(process)
        return found


def files_of(spec: TunnelSpec) -> TunnelFiles:
    """The files of a tunnel, the same for every process of this user."""
    what = spec.probe_url or f"{spec.host}\0{spec.remote_port}"
    key = hashlib.sha256(what.encode()).hexdigest()[:8]
    return TunnelFiles(runtime_folder(_LONGEST_NAME) / f"tunnel-{key}.json")


def iter_tunnel_files() -> Iterator[TunnelFiles]:
    """Iterate over the open tunnels; removes those of killed processes and ends their other processes."""
    for spec in sorted(filter(Path.is_file, runtime_folder(_LONGEST_NAME).glob("tunnel-*.json"))):
        files = TunnelFiles(spec)
        descriptor = files.claim()
        if descriptor is None:
            yield files
            continue
        _remove_left(files, descriptor)


def wait_for_end(files: TunnelFiles, *, seconds: float) -> bool:
    """Wait until no process keeps the tunnel open, then remove its files."""
    deadline = time.monotonic() + seconds
    while (descriptor := files.claim()) is None:
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    _remove_left(files, descriptor)
    return True


def _remove_left(files: TunnelFiles, descriptor: int) -> None:
    try:
        files.end_left()
        files.remove()
    finally:
        os.close(descriptor)
