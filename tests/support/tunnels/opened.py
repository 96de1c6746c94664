"""Tunnels of the tests: opened by a bed's user, pushed through from the far side."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from support.engines.images import write_image
from support.engines.real import Bed
from support.tunnels.far_host import FarHost

from localreg.output.tunnel.ls import render
from localreg.system.waiting import wait_until
from localreg.tunnels.ls import list_tunnels

PATIENCE = 30.0

NOTICING_SOON = ("--ssh-option", "ServerAliveInterval=1", "--ssh-option", "ServerAliveCountMax=2")
"""What has a tunnel notice soon that the far side is gone."""


@dataclass(frozen=True)
class Tunnels:
    """A bed with a registry, and a machine far away that takes its user's key."""

    bed: Bed
    far: FarHost
    key: Path

    @property
    def arguments(self) -> tuple[str, ...]:
        """What opens a tunnel to that machine."""
        return ("tunnel", "open", self.far.host, "--identity", str(self.key))

    def open(self, *more: str) -> str:
        """Open one in the background; returns stdout."""
        return self.bed.ok(*self.arguments, "--background", *more)

    def told(self) -> list[dict[str, Any]]:
        """What `tunnel ls` says."""
        found: list[dict[str, Any]] = json.loads(self.bed.ok("tunnel", "ls", "--json"))["tunnels"]
        return found

    def status(self) -> dict[str, Any]:
        """What `tunnel ls` says of the one that is open."""
        (found,) = self.told()
        return found

    def seen(self) -> list[dict[str, Any]]:
        """The same, where it is asked for again and again: for root it takes no run of the program."""
        if self.bed.uid:
            return self.told()
        found: list[dict[str, Any]] = render([status for _, status in list_tunnels()]).json()["tunnels"]
        return found

    def becomes(self, state: str, *, seconds: float = PATIENCE) -> dict[str, Any]:
        """Wait until the tunnel is in a state; returns what `tunnel ls` says then."""
        found: dict[str, Any] = {}

        def is_there() -> bool:
            (status,) = self.seen()
            found.update(status)
            return bool(status["state"] == state)

        assert wait_until(is_there, seconds=seconds), found
        return found

    def ssh_processes(self) -> list[psutil.Process]:
        """Every `ssh` that localreg started, and that still lives."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.name() == "ssh" and "LOCALREG_TUNNEL" in process.environ():
                    found.append(process)
        return found

    @contextlib.contextmanager
    def dead_session(self) -> Iterator[None]:
        """The session does not notice that its client has gone, and holds the port until the end."""
        sessions = self.far.sessions()
        assert sessions
        for process in sessions:
            process.suspend()
        found = self.becomes("waiting")
        # The reason names the port and the address that the far side still holds.
        taken = re.compile(r"\b5000\b.*\b127\.0\.0\.1\b|\b127\.0\.0\.1\b.*\b5000\b")
        assert wait_until(lambda: taken.search(self.seen()[0]["reason"] or "") is not None, seconds=PATIENCE), found
        yield
        for process in sessions:
            process.kill()
        assert wait_until(lambda: self.far.listens() == [], seconds=5)

    def push_with_skopeo(self, archive: Path, name: str = "app:1", *, port: int = 5000) -> None:
        """Push from the far side."""
        self.far.ok(*skopeo_push(archive, name, port=port))


@contextlib.contextmanager
def ssh_config(text: str) -> Iterator[None]:
    """What every user's `ssh` of this machine is told for a while."""
    config = Path("/etc/ssh/ssh_config.d/test.conf")
    config.write_text(text)
    try:
        yield
    finally:
        config.unlink()


def skopeo_push(archive: Path, name: str = "app:1", *, port: int = 5000) -> list[str]:
    """What pushes an image on the far side; as it is, for compressing takes longer than anything else."""
    options = ["--dest-tls-verify=false", "--preserve-digests"]
    return ["skopeo", "copy", *options, f"docker-archive:{archive}", f"docker://localhost:{port}/{name}"]


@contextlib.contextmanager
def opened_tunnels(bed: Bed, far: FarHost) -> Iterator[Tunnels]:
    """A bed, on which a registry is started; every tunnel is closed at the end."""
    bed.up()
    with tunnels_to(bed, far) as tunnels:
        yield tunnels


@contextlib.contextmanager
def tunnels_to(bed: Bed, far: FarHost) -> Iterator[Tunnels]:
    """A bed that has a registry; every tunnel is closed at the end."""
    tunnels = Tunnels(bed, far, far.let_in(bed))
    yield tunnels
    bed.ok("tunnel", "close", "--all")
    assert tunnels.ssh_processes() == []


def image_archive(folder: Path, name: str = "localhost/app:1", *, ballast: bytes = b"", says: str = "pulled") -> Path:
    """An image that says a word when it runs, as an archive that everybody can read."""
    archive = folder / f"{name.rpartition('/')[2].replace(':', '-')}.tar"
    write_image(archive, name, {"content": name}, command=f"echo {says}", ballast=ballast)
    archive.chmod(0o644)
    return archive


@contextlib.contextmanager
def far_docker(far: FarHost) -> Iterator[list[str]]:
    """A Docker daemon on the far side; yields the client that speaks with it."""
    # What it listens on has to have a short path.
    place = Path("/run/far-docker")
    socket = place / "docker.sock"
    place.mkdir(exist_ok=True)
    options = ["--data-root", far.folder / "docker", "--exec-root", place / "exec", "--pidfile", place / "pid"]
    with (
        (place / "log").open("wb") as log,
        subprocess.Popen(
            far.command(["dockerd", "-H", f"unix://{socket}", *map(str, options)]), stdout=log, stderr=log
        ) as daemon,
    ):
        client = far.command(["docker", "-H", f"unix://{socket}"])
        try:
            ready = wait_until(
                lambda: subprocess.run([*client, "info"], capture_output=True, check=False).returncode == 0, seconds=30
            )
            assert ready, (place / "log").read_text()
            yield client
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(30)


def far_podman(far: FarHost) -> list[str]:
    """A Podman on the far side, with a storage of its own."""
    places = ["--root", str(far.folder / "podman"), "--runroot", "/run/far-podman"]
    return far.command(["podman", "--storage-driver", "vfs", *places])
