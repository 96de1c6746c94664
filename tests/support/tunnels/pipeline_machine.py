"""A machine that runs pipelines, as far as the network goes: a namespace with a link to the far host, and engines.

Beside it is a job as GitLab has it: in a namespace that leads nowhere, with the runner's Docker as a service.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from support.engines.images import static_busybox
from support.tunnels.far_host import ADDRESS, FarHost, make_key

from localreg.system.waiting import wait_until

_NAMESPACE = "runner"
_JOB = "job"
_HERE = "10.77.1.2"
_GATEWAY = "10.77.1.1"
_DEVICE = "to-runner"
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
"""Of the distribution alone: what is in /usr/local may be a Docker client that cannot build."""

DOCKERFILE = """\
FROM scratch
COPY busybox /bin/busybox
RUN --mount=type=ssh ["/bin/busybox", "sh", "-c", "test -S $SSH_AUTH_SOCK && echo from the pipeline >/said"]
CMD ["/bin/busybox", "cat", "/said"]
"""
"""An image that is not built without the ssh mount."""


@dataclass(frozen=True)
class Runner:
    """The machine, and a folder with what a pipeline is given."""

    folder: Path
    key: Path
    """Lets in to the far host, as far as its port 5000."""
    known_hosts: Path

    @property
    def docker_host(self) -> str:
        return f"unix://{self.folder}/docker.sock"

    @property
    def work(self) -> Path:
        """The checkout."""
        return self.folder / "work"

    @property
    def programs(self) -> Path:
        """What comes first in its path."""
        return self.folder / "bin"

    def play(
        self,
        script: str,
        *,
        shell: Sequence[str],
        env: Mapping[str, str],
        apart: bool = False,
    ) -> subprocess.CompletedProcess[str]:
        """Run a pipeline's lines of shell.

        Args:
            script: The lines.
            shell: What runs them.
            env: What the system sets.
            apart: In the job's namespace.
        """
        path = self.folder / "script"
        path.write_text(script)
        # The path that is given is for the lines.
        enter = [shutil.which("nsenter") or "nsenter", f"--net=/run/netns/{_JOB if apart else _NAMESPACE}", "--"]
        return subprocess.run(
            [*enter, *shell, path],
            cwd=self.work,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env={
                "PATH": f"{self.programs}:{_PATH}",
                "HOME": str(self.folder),
                "DOCKER_HOST": self.docker_host,
                "CONTAINERS_STORAGE_CONF": str(self.folder / "storage.conf"),
                **env,
            },
        )

    def has_docker(self) -> bool:
        """Its daemon answers."""
        asked = ["curl", "-sf", "--unix-socket", self.docker_host.removeprefix("unix://"), "http://localhost/_ping"]
        return subprocess.run(asked, capture_output=True, check=False).returncode == 0

    def docker(self, *arguments: str) -> str:
        """Run the runner's Docker, which has to succeed; returns stdout."""
        command = [shutil.which("docker", path=_PATH) or "docker", "-H", self.docker_host, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def is_clean(self) -> bool:
        """Nothing is left of a pipeline: no container, and nobody who listens."""
        listening = ["nsenter", f"--net=/run/netns/{_NAMESPACE}", "ss", "-ltnH", "sport", "=", ":5000"]
        asked = subprocess.run(listening, capture_output=True, text=True, check=True)
        return asked.stdout == "" and self.docker("ps", "-aq") == ""


@contextlib.contextmanager
def runner(folder: Path, far: FarHost) -> Iterator[Runner]:
    """Set the machine up."""
    known_hosts = folder / "known_hosts"
    known_hosts.write_text(f"{ADDRESS} {far.host_key.with_suffix('.pub').read_text()}")
    found = Runner(folder, make_key(folder / "key"), known_hosts)
    found.work.mkdir()
    found.programs.mkdir()
    (found.programs / "busybox").symlink_to(shutil.which("busybox") or "")
    (found.work / "Dockerfile").write_text(DOCKERFILE)
    (found.work / "busybox").write_bytes(static_busybox())
    (found.work / "busybox").chmod(0o755)
    storage = f'[storage]\ndriver = "vfs"\ngraphroot = "{folder}/podman"\nrunroot = "{folder}/podman-run"\n'
    (folder / "storage.conf").write_text(storage)
    with (far.folder / "authorized_keys").open("a") as keys:
        keys.write('command="/bin/false",restrict,port-forwarding,permitopen="127.0.0.1:5000" ')
        keys.write(found.key.with_suffix(".pub").read_text())
    inside = ("nsenter", f"--net=/run/netns/{_NAMESPACE}")
    for command in (
        ("ip", "netns", "add", _NAMESPACE),
        ("ip", "netns", "add", _JOB),
        far.command(("ip", "link", "add", _DEVICE, "type", "veth", "peer", "name", "eth0", "netns", _NAMESPACE)),
        far.command(("ip", "address", "add", f"{_GATEWAY}/30", "dev", _DEVICE)),
        far.command(("ip", "link", "set", _DEVICE, "up")),
        (*inside, "ip", "link", "set", "lo", "up"),
        (*inside, "ip", "address", "add", f"{_HERE}/30", "dev", "eth0"),
        (*inside, "ip", "link", "set", "eth0", "up"),
        (*inside, "ip", "route", "add", "default", "via", _GATEWAY),
        ("nsenter", f"--net=/run/netns/{_JOB}", "ip", "link", "set", "lo", "up"),
    ):
        subprocess.run(command, check=True)
    # Not `ip netns exec`, which hides the control groups.
    daemon = ["dockerd", "-H", found.docker_host, "--pidfile", str(folder / "docker.pid")]
    daemon += ["--data-root", str(folder / "docker"), "--exec-root", str(folder / "docker-run")]
    with (folder / "dockerd.log").open("wb") as log, subprocess.Popen([*inside, *daemon], stderr=log) as process:
        try:
            assert wait_until(found.has_docker, seconds=30, is_alive=lambda: process.poll() is None), (
                folder / "dockerd.log"
            ).read_text()
            yield found
        finally:
            process.terminate()
            process.wait()
            subprocess.run(["ip", "netns", "delete", _JOB], check=False)
            subprocess.run(["ip", "netns", "delete", _NAMESPACE], check=False)


def write_client_image(archive: Path, *, wget: str | None = None) -> None:
    """The root file system of an image with this machine's `ssh`, and busybox for the rest.

    It stands in for `docker:NN-cli`, which cannot be pulled here and has both.

    Args:
        archive: Where to write it.
        wget: A script in place of busybox's wget.
    """
    ssh = shutil.which("ssh") or "/usr/bin/ssh"
    listed = subprocess.run(["ldd", ssh], capture_output=True, text=True, check=True).stdout
    libraries = [word for word in listed.split() if word.startswith("/")]
    with tarfile.open(archive, "w", dereference=True) as tar:
        for path in (ssh, *libraries):
            tar.add(os.path.realpath(path), arcname=path.lstrip("/"))
        tar.add(shutil.which("busybox") or "", arcname="bin/busybox")
        passwd = archive.with_name("passwd")
        passwd.write_text("root:x:0:0:root:/root:/bin/sh\n")
        tar.add(passwd, arcname="etc/passwd")
        if wget is not None:
            program = tarfile.TarInfo("bin/wget")
            program.size, program.mode = len(wget), 0o755
            tar.addfile(program, io.BytesIO(wget.encode()))
        for applet in ("sh", "wget") if wget is None else ("sh",):
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
