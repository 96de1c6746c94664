"""The real engines that tests run on: who runs them, and how a test leaves them as it found them."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.engines.api import EngineApi
from support.engines.images import CREATED, SCRIPT, write_image

from localreg.engines.discovery.probe import Answer
from localreg.engines.discovery.select import open_engine
from localreg.engines.port import Engine
from localreg.engines.values import Endpoint, EngineName
from localreg.images.push import push_image
from localreg.images.tag import plan_tag
from localreg.registry.request import UpRequest
from localreg.registry.running import get_running_registry
from localreg.registry.up import bring_up
from localreg.system.waiting import wait_until

TESTER_UID = 4242
TESTER_HOME = Path("/mnt/tester")
TESTER_RUNTIME = Path(f"/run/user/{TESTER_UID}")

SETPRIV = shutil.which("setpriv") or "setpriv"

REQUIRED = ("docker", "podman-rootful", "podman-rootless")
"""What CI must have run."""

on_every_engine = pytest.mark.parametrize("bed", REQUIRED, indirect=True)
"""Also on rootful Podman: for what it may do otherwise than the rootless one."""
docker_alone = pytest.mark.parametrize("bed", ["docker"], indirect=True)
rootless_podman_alone = pytest.mark.parametrize("bed", ["podman-rootless"], indirect=True)
"""For what no engine has a part in, or only one that the contract holds all of them to: half such tests run on each."""
on_each_podman = pytest.mark.parametrize("podman", REQUIRED[1:], indirect=True)

_BUG_OF_PODMAN = "mpb.(*Bar).Abort("
"""Podman 4.3 now and then waits for its progress bars for ever: what hung in that is run again. But for a push: that
localreg makes again itself."""

REGISTRY_IMAGE = "localhost/localreg-registry:2.8.3"


def require_testbed() -> None:
    """Fail, and never skip, where there are no real engines to use."""
    if not os.environ.get("LOCALREG_TESTBED"):
        pytest.fail("this test needs real engines: run `make test`", pytrace=False)


@dataclass(frozen=True)
class Distribution:
    """A real registry that runs as a process of its own."""

    base_url: str
    location: str
    root: Path


@dataclass(frozen=True)
class Bed:
    """One real engine."""

    name: str
    program: str
    """The engine's own program."""
    uid: int

    @property
    def engine(self) -> str:
        """What `--engine` calls it."""
        return self.program

    @property
    def home(self) -> Path:
        return TESTER_HOME if self.uid else Path("/mnt/root")

    @property
    def environment(self) -> dict[str, str]:
        """What a login gives its user, and no more."""
        runtime = {"XDG_RUNTIME_DIR": str(TESTER_RUNTIME)} if self.uid else {}
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return {"HOME": str(self.home), "PATH": path, "LANG": "C.UTF-8", "TERM": "dumb", **runtime}

    def command(self, arguments: Sequence[str]) -> list[str]:
        """The arguments, run by the bed's user."""
        if not self.uid:
            return list(arguments)
        user = str(self.uid)
        return [SETPRIV, "--reuid", user, "--regid", user, "--init-groups", "--", *arguments]

    def run(
        self, *arguments: str, env: dict[str, str] | None = None, timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end as the bed's user."""
        try:
            return subprocess.run(
                self.command(arguments),
                env={**self.environment, **(env or {})},
                cwd="/",
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="surrogateescape",
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as exc:
            said = self._last_words()
            if (
                _BUG_OF_PODMAN in said
                and Path(arguments[0]).name == "localreg"
                and not {"push", "build"} & {*arguments}
            ):
                return self.run(*arguments, env=env, timeout=timeout)
            exc.add_note(said)
            raise

    def _last_words(self) -> str:
        """Where each Podman service and the registry stood: what a command hung in is seen nowhere else.

        Programs made with Go say it when they are told to quit.
        """
        services = _running("system", "service")
        # A rootless one is two processes with one log.
        logs = {Path(f"/proc/{process.pid}/fd/2").resolve() for process in services}
        for process in services:
            _quit(process)
        said = "".join(log.read_text(errors="replace") for log in logs if log.is_file())
        if _BUG_OF_PODMAN in said:
            return said
        # Only then: without it a service would not stand where it stood.
        for process in _running("serve"):
            _quit(process)
            with contextlib.suppress(subprocess.TimeoutExpired):
                said += self.run(self.program, "logs", "registry", timeout=10).stderr
        return said

    def localreg(self, *arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run localreg on this engine as a stranger would: the installed program, with the engine named."""
        return self.run("localreg", "--engine", self.engine, *arguments, env=env)

    def piped(self, text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run localreg with a line on stdin, such as a password."""
        return subprocess.run(
            self.command(["localreg", "--engine", self.engine, *arguments]),
            env=self.environment,
            cwd="/",
            input=f"{text}\n",
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def ok_with(self, text: str, *arguments: str) -> str:
        """Run localreg with a line on stdin; it has to succeed; returns stdout."""
        result = self.piped(text, *arguments)
        assert result.returncode == 0, f"{arguments} exited with {result.returncode}\n{result.stdout}\n{result.stderr}"
        return result.stdout

    def ok(self, *arguments: str, env: dict[str, str] | None = None) -> str:
        """Run localreg, which has to succeed; returns stdout."""
        result = self.localreg(*arguments, env=env)
        assert result.returncode == 0, f"{arguments} exited with {result.returncode}\n{result.stdout}\n{result.stderr}"
        return result.stdout

    def refused(self, code: int, *arguments: str, env: dict[str, str] | None = None) -> str:
        """Run localreg, which has to fail with this exit code; returns stderr."""
        result = self.localreg(*arguments, env=env)
        assert result.returncode == code, (
            f"{arguments} exited with {result.returncode}\n{result.stdout}\n{result.stderr}"
        )
        assert "Traceback" not in result.stderr
        return result.stderr

    def up(self) -> None:
        """Start the registry as `localreg up` does, for a test of something else: a run of the program takes longer."""
        with self.opened() as engine:
            bring_up(engine, UpRequest("registry"), notify=lambda _: None, on_progress=lambda _: None)

    def push(self, image: str, *, name: str | None = None) -> None:
        """Push an image as `localreg push` does, for a test of something else."""
        with self.opened() as engine:
            registry = get_running_registry(engine, "registry")
            transfer = plan_tag(engine, registry, image, destination=name)
            push_image(engine, registry, transfer, on_progress=lambda _: None)

    @contextlib.contextmanager
    def acting(self) -> Iterator[None]:
        """This process is who runs localreg: only that user's `gc` changes the registry's folder itself."""
        os.setegid(self.uid)
        os.seteuid(self.uid)
        try:
            yield
        finally:
            os.seteuid(0)
            os.setegid(0)

    def opened(self) -> Engine:
        """The engine, for a test in this process."""
        engine: EngineName = "docker" if self.program == "docker" else "podman"
        return open_engine(Answer(engine, Endpoint(f"unix://{self.api.socket}"), (), has_volume=False))

    @property
    def api(self) -> EngineApi:
        """The engine's API; of a Podman through a service that is not localreg's, and lasts as long as the tests."""
        if self.program == "docker":
            return EngineApi(Path("/var/run/docker.sock"))
        api = EngineApi((TESTER_RUNTIME if self.uid else Path("/run")) / "tests.sock", "/v4.0.0/libpod")
        if not api.answers():
            api.socket.unlink(missing_ok=True)
            command = self.command(["podman", "system", "service", "--time=0", f"unix://{api.socket}"])
            silent = subprocess.DEVNULL
            service = subprocess.Popen(
                command, env=self.environment, cwd="/", stdin=silent, stdout=silent, stderr=silent
            )
            atexit.register(functools.partial(_end, service))
            assert wait_until(api.answers, seconds=30, is_alive=lambda: service.poll() is None)
        return api

    def engine_ok(self, *arguments: str) -> str:
        """Run the engine's own program, which has to succeed; returns stdout."""
        result = self.run(self.program, *arguments)
        assert result.returncode == 0, f"{self.program} {arguments}: {result.stderr}"
        return result.stdout

    @contextlib.contextmanager
    def started(
        self,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        stdin: int = subprocess.DEVNULL,
        start_new_session: bool = False,
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Run a program in the background as the bed's user; killed at the end if it still runs."""
        with subprocess.Popen(
            self.command(arguments),
            env={**self.environment, **(env or {})},
            cwd="/",
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=start_new_session,
        ) as process:
            try:
                yield process
            finally:
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(signal.SIGKILL)

    def add_image(
        self,
        name: str,
        folder: Path,
        *,
        content: str = "",
        command: str = SCRIPT,
        created: str = CREATED,
        ballast: bytes = b"",
        can_run: bool = True,
    ) -> None:
        """Make a small image.

        Args:
            name: Its complete name.
            folder: Where the archive is written.
            content: Makes the image differ from others.
            command: What it runs.
            created: When it says that it was made.
            ballast: Makes its layer large.
            can_run: It has busybox, whose size is not the same everywhere.
        """
        archive = folder / "image.tar"
        labels = {"content": content or name}
        write_image(archive, name, labels, command=command, created=created, ballast=ballast, can_run=can_run)
        self.api.load(archive)

    def add_network(self, name: str) -> None:
        """Make a network, which lasts as long as the test."""
        self.engine_ok("network", "create", name)

    def images(self) -> set[str]:
        """The names of all images."""
        return self.api.images()

    def inspect(self, container: str) -> dict[str, Any]:
        """What the engine says of a container."""
        found = self.api.inspect("container", container)
        assert found is not None, container
        return found

    def exists(self, kind: str, name: str) -> bool:
        """Whether there is such a `container`, `volume` or `image`."""
        return self.api.inspect(kind, name) is not None

    def clean(self, images: set[str]) -> None:
        """Remove every container and volume, and every image that is not one of these."""
        self.api.remove_all()
        for name in self.images() - images:
            self.api.remove_image(name)
        for kept in (".config", ".local/share/localreg", ".docker"):
            shutil.rmtree(self.home / kept, ignore_errors=True)
        Path("/etc/containers/registries.conf.d/50-localreg-system.conf").unlink(missing_ok=True)


def _running(*words: str) -> list[psutil.Process]:
    """The processes whose arguments begin with these words."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if tuple(process.cmdline()[1 : 1 + len(words)]) == words:
                found.append(process)
    return found


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait()


def _quit(process: psutil.Process) -> None:
    with contextlib.suppress(psutil.Error):
        process.send_signal(signal.SIGQUIT)
        process.wait(timeout=10)


BEDS = {
    "docker": Bed("docker", "docker", 0),
    "podman-rootful": Bed("podman-rootful", "podman", 0),
    "podman-rootless": Bed("podman-rootless", "podman", TESTER_UID),
}


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Whether nobody listens on a port of IPv4's loopback."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def close_a_connection(port: int) -> None:
    """Leave a connection in TIME_WAIT on a port of IPv4's loopback: a server that ended first had it."""
    with socket.create_server(("127.0.0.1", port)) as server:
        client = socket.create_connection(("127.0.0.1", port))
        accepted, _ = server.accept()
        accepted.close()
        assert client.recv(1) == b""
        client.close()
