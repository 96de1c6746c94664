"""The files of a tunnel in the runtime folder, and the lock that says whether a process keeps it.

Nothing here is trusted over what the process itself says: no process is known by its number. The lock on the spec is
held by the process that keeps the tunnel, and the system releases it however that ends; what was started for the tunnel
is recognised by a variable of its environment.
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
"""The variable that every process of a tunnel has: the path of its spec."""
_LONGEST_NAME = "tunnel-01234567.ssh.0123456789abcdef"
"""What `ssh` calls its control socket for a moment."""
_END_SECONDS = 3.0
_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class TunnelFiles:
    """Where the files of one tunnel are."""

    spec: Path
    """What was asked for; locked by the process that keeps the tunnel."""

    @property
    def control(self) -> Path:
        """The socket on which the process answers."""
        return self.spec.with_suffix(".sock")

    @property
    def master(self) -> Path:
        """The socket on which `ssh` takes orders."""
        return self.spec.with_suffix(".ssh")

    @property
    def back(self) -> Path:
        """The socket that leads through `ssh` to the far side's port, and so back to us."""
        return self.spec.with_suffix(".back")

    @property
    def outside(self) -> Path:
        """The socket that leads to the far side's port as others reach it."""
        return self.spec.with_suffix(".out")

    @property
    def log(self) -> Path:
        """What a process in the background writes."""
        return self.spec.with_suffix(".log")

    def claim(self) -> int | None:
        """Take the lock.

        Returns:
            A descriptor that holds the lock as long as any process has it; None where another process holds it.
        """
        while True:
            descriptor = os.open(self.spec, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                return None
            # Whoever held it may have removed the file meanwhile.
            if self.is_locked_by(descriptor):
                return descriptor
            os.close(descriptor)

    def is_locked_by(self, descriptor: int) -> bool:
        """Whether a descriptor that holds the lock is still that of the file."""
        try:
            return os.path.samestat(os.fstat(descriptor), self.spec.stat())
        except FileNotFoundError:
            return False

    def read(self) -> TunnelSpec | None:
        """What was asked for; None where nothing, or not all of it, was written."""
        try:
            return TunnelSpec.from_json(self.spec.read_text())
        except (FileNotFoundError, ValueError):
            return None

    def remove_links(self) -> None:
        """Remove what an `ssh` that has ended listened on; the lock has to be held."""
        for path in (self.master, self.back, self.outside):
            path.unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove the tunnel, but for its log; the lock has to be held."""
        self.remove_links()
        self.control.unlink(missing_ok=True)
        self.spec.unlink(missing_ok=True)

    def end_left(self) -> bool:
        """End and remove what a process that was killed has left, but for the spec; the lock has to be held.

        Returns:
            Whether there was something.
        """
        was_left = self.spec.stat().st_size > 0
        if was_left:
            self.end_processes()
            self.remove_links()
        return was_left

    def end_processes(self) -> None:
        """End every process of this tunnel but this one, gently at first."""
        import psutil  # noqa: PLC0415 -- only where something was left

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
    """Where the files of a tunnel are: the same for every process of this user."""
    what = spec.probe_url or f"{spec.host}\0{spec.remote_port}"
    key = hashlib.sha256(what.encode()).hexdigest()[:8]
    return TunnelFiles(runtime_folder(_LONGEST_NAME) / f"tunnel-{key}.json")


def iter_tunnel_files() -> Iterator[TunnelFiles]:
    """Every tunnel that a process keeps; what one that was killed has left is removed, its processes ended."""
    for spec in sorted(filter(Path.is_file, runtime_folder(_LONGEST_NAME).glob("tunnel-*.json"))):
        files = TunnelFiles(spec)
        descriptor = files.claim()
        if descriptor is None:
            yield files
            continue
        _remove_left(files, descriptor)


def wait_for_end(files: TunnelFiles, *, seconds: float) -> bool:
    """Wait until no process keeps the tunnel; what it left is then removed."""
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
