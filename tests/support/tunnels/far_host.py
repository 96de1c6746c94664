"""Another machine, as far as the network goes: a namespace with a real sshd, reached over a link that can be cut."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
from support.engines.real import Bed

from localreg.system.waiting import wait_until

NAMESPACE = "far"
ADDRESS = "10.77.0.2"
_HERE = "10.77.0.1"
_DEVICE = "to-far"
_KNOWN_HOSTS = Path("/etc/ssh/ssh_known_hosts")
_SSHD = shutil.which("sshd") or "/usr/sbin/sshd"


class FarHost:
    """The machine that pushes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host_key = folder / "host_key"
        self._sshd: subprocess.Popen[bytes] | None = None

    @property
    def host(self) -> str:
        """What `ssh` is given."""
        return f"root@{ADDRESS}"

    def command(self, arguments: Sequence[str]) -> list[str]:
        """The arguments, run there."""
        return ["nsenter", f"--net=/run/netns/{NAMESPACE}", "--", *arguments]

    def run(
        self, *arguments: str, timeout: float = 120, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a program there to its end."""
        return subprocess.run(
            self.command(arguments),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            env={**os.environ, **(env or {})},
        )

    def ok(self, *arguments: str, timeout: float = 120) -> str:
        """Run a program there, which has to succeed; returns stdout."""
        result = self.run(*arguments, timeout=timeout)
        assert result.returncode == 0, f"{arguments}: {result.stdout}{result.stderr}"
        return result.stdout

    def answers(self, address: str = "127.0.0.1:5000") -> bool:
        """Whether a registry answers there."""
        asked = self.run("curl", "-sf", "-m", "3", "-D", "-", "-o", "/dev/null", f"http://{address}/v2/")
        return asked.returncode == 0 and "registry/2.0" in asked.stdout

    def listens(self, port: int = 5000) -> list[str]:
        """The addresses that somebody listens on at a port there."""
        lines = self.ok("ss", "-ltnH", "sport", "=", f":{port}").splitlines()
        return sorted(line.split()[3].rpartition(":")[0] for line in lines)

    def start_sshd(self, *lines: str) -> None:
        """Let users in.

        Args:
            lines: What its configuration says first.
        """
        config = self.folder / "sshd_config"
        config.write_text(
            "\n".join(
                (
                    *lines,
                    f"HostKey {self.host_key}",
                    f"AuthorizedKeysFile {self.folder}/authorized_keys",
                    "StrictModes no",
                    "UsePAM no",
                    "PasswordAuthentication no",
                    "KbdInteractiveAuthentication no",
                    "PermitRootLogin prohibit-password",
                    f"PidFile {self.folder}/sshd.pid",
                    "",
                )
            )
        )
        Path("/run/sshd").mkdir(exist_ok=True)
        command = [_SSHD, "-f", str(config)]
        # Since release 9.8 it turns away for a while who failed to log in, and here everybody is the same host.
        forgiving = ["-o", "PerSourcePenalties=no"]
        if subprocess.run([*command, *forgiving, "-t"], stderr=subprocess.DEVNULL, check=False).returncode == 0:
            command += forgiving
        with (self.folder / "sshd.log").open("ab") as log:
            self._sshd = subprocess.Popen(self.command([*command, "-D", "-e"]), stdin=subprocess.DEVNULL, stderr=log)
        assert wait_until(lambda: self.listens(22) != [], seconds=10), (self.folder / "sshd.log").read_text()

    def kill_sshd(self) -> None:
        """The machine goes down: the daemon and every session of it, without a word to anybody."""
        pids = self.run("ip", "netns", "pids", NAMESPACE).stdout.split()
        for pid in pids:
            with contextlib.suppress(ProcessLookupError, FileNotFoundError):
                if Path(f"/proc/{pid}/comm").read_text().startswith("sshd"):
                    os.kill(int(pid), signal.SIGKILL)
        if self._sshd is not None:
            self._sshd.wait()
        self._sshd = None

    def restart_sshd(self, *lines: str) -> None:
        """Down, and up again with these lines of configuration."""
        self.kill_sshd()
        self.start_sshd(*lines)

    def cut(self) -> None:
        """Cut the link: what is under way is lost without a word."""
        self.ok("ip", "link", "set", "eth0", "down")

    def mend(self) -> None:
        """Put the link together again."""
        self.ok("ip", "link", "set", "eth0", "up")

    def sessions(self) -> list[psutil.Process]:
        """The processes that serve those who are logged in."""
        assert self._sshd is not None
        return psutil.Process(self._sshd.pid).children(recursive=True)

    def sent(self) -> int:
        """Bytes that have left this machine."""
        (device,) = json.loads(self.ok("ip", "-s", "-j", "link", "show", "eth0"))
        return int(device["stats64"]["tx"]["bytes"])

    def let_nobody_in(self) -> None:
        """Take no key any more."""
        (self.folder / "authorized_keys").write_text("")

    def fingerprint(self) -> str:
        """Of its key."""
        shown = subprocess.run(["ssh-keygen", "-lf", self.host_key], capture_output=True, text=True, check=True)
        return shown.stdout.split()[1]

    def change_host_key(self) -> None:
        """Have another key from the next start on."""
        self.host_key.unlink()
        self.host_key.with_suffix(".pub").unlink()
        make_key(self.host_key)

    def forget(self) -> None:
        """Nobody here knows its key any more."""
        _KNOWN_HOSTS.write_text("")

    @contextlib.contextmanager
    def forgotten(self) -> Iterator[None]:
        """Nobody here knows its key for a while, but who has it in a file of his own."""
        known = _KNOWN_HOSTS.read_text()
        self.forget()
        try:
            yield
        finally:
            _KNOWN_HOSTS.write_text(known)

    def let_in(self, bed: Bed) -> Path:
        """Make a key for a bed's user, and take it.

        Returns:
            The private key.
        """
        key = make_key(_KNOWN_HOSTS.with_name(f"ci-{bed.uid}"), bed.uid)
        with (self.folder / "authorized_keys").open("a") as keys:
            keys.write(key.with_suffix(".pub").read_text())
        return key


def make_key(path: Path, uid: int = 0) -> Path:
    """A key that belongs to a user; returns the private one."""
    if not path.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", path], check=True)
        os.chown(path, uid, uid)
    return path


@contextlib.contextmanager
def far_host(folder: Path) -> Iterator[FarHost]:
    """Set the machine up, with a link to it; its key is known here."""
    far = FarHost(folder)
    make_key(far.host_key)
    (folder / "authorized_keys").touch()
    known = _KNOWN_HOSTS.read_bytes() if _KNOWN_HOSTS.exists() else None
    _KNOWN_HOSTS.write_text(f"{ADDRESS} {far.host_key.with_suffix('.pub').read_text()}")
    for command in (
        ("ip", "netns", "add", NAMESPACE),
        ("ip", "link", "add", _DEVICE, "type", "veth", "peer", "name", "eth0", "netns", NAMESPACE),
        ("ip", "address", "add", f"{_HERE}/30", "dev", _DEVICE),
        ("ip", "link", "set", _DEVICE, "up"),
        far.command(("ip", "link", "set", "lo", "up")),
        far.command(("ip", "address", "add", f"{ADDRESS}/30", "dev", "eth0")),
        far.command(("ip", "link", "set", "eth0", "up")),
    ):
        subprocess.run(command, check=True)
    try:
        far.start_sshd()
        yield far
    finally:
        far.kill_sshd()
        subprocess.run(["ip", "link", "delete", _DEVICE], check=False)
        subprocess.run(["ip", "netns", "delete", NAMESPACE], check=False)
        if known is None:
            _KNOWN_HOSTS.unlink()
        else:
            _KNOWN_HOSTS.write_bytes(known)
