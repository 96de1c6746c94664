"""HTTP through a program, with a stand-in for `ssh` that answers by itself; a real sshd is in tests/e2e."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from localreg.engines.common.ssh import dial_command
from localreg.engines.docker.connection import Connection as DockerConnection
from localreg.engines.docker.connection import docker_errors
from localreg.engines.podman.connection import Connection as PodmanConnection
from localreg.engines.podman.engine import PodmanEngine
from localreg.engines.values import Endpoint
from localreg.errors import EngineLostError

ANSWERS = """
import pathlib, sys
with open({log!r}, "a") as log:
    print(sys.argv[1:], file=log)
body = b'{{"ApiVersion": "1.41"}}'
while line := sys.stdin.buffer.readline():
    if line == b"\\r\\n":
        sys.stdout.buffer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body) + body)
        sys.stdout.buffer.flush()
"""

Install = Callable[[str], None]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Has a line for each run of the stand-in: its arguments."""
    return tmp_path / "log"


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts a Python program as `ssh` on a PATH of its own, with `sh`."""

    def write(program: str) -> None:
        ssh = tmp_path / "ssh"
        ssh.write_text(f'#!/bin/sh\nexec {sys.executable} -c {shlex.quote(program)} "$@"\n')
        ssh.chmod(0o755)

    (tmp_path / "sh").symlink_to("/bin/sh")
    monkeypatch.setenv("PATH", str(tmp_path))
    return write


@pytest.fixture
def answering(install: Install, log: Path) -> None:
    install(ANSWERS.format(log=str(log)))


@pytest.mark.usefixtures("answering")
def test_one_login_is_for_all_requests(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Not to be asked: it leads nowhere.
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    connection = DockerConnection(Endpoint("ssh://me@there"), api_version=None)
    assert connection.client.info() == connection.patient.info() == {"ApiVersion": "1.41"}
    (started,) = psutil.Process().children()
    connection.close()
    assert not started.is_running()
    options = ["-T", "-o", "ConnectTimeout=10", "-l", "me", "--", "there"]
    assert log.read_text().splitlines() == [str([*options, "docker system dial-stdio"])]


@pytest.mark.usefixtures("answering")
def test_the_socket_there_is_named_to_the_program_there(log: Path) -> None:
    docker = DockerConnection(Endpoint("ssh://there/run/my sock"), api_version="1.41")
    docker.client.info()
    docker.close()
    podman = PodmanConnection(Endpoint("ssh://[::1]:2222/run/podman.sock"))
    assert podman.get("/info").json() == {"ApiVersion": "1.41"}
    podman.close()
    (by_docker, by_podman) = log.read_text().splitlines()
    assert "docker '--host=unix:///run/my sock' system dial-stdio" in by_docker
    assert by_podman.endswith(
        "'-p', '2222', '--', '::1', 'podman --remote --url=unix:///run/podman.sock system dial-stdio']"
    )


def test_a_connection_may_name_a_key() -> None:
    command = dial_command(Endpoint("ssh://core@127.0.0.1:5022/p", identity=Path("/key"), is_machine=True), "true")
    assert command[command.index("-i") + 1] == "/key"
    # Only the host key of a virtual machine is not checked.
    assert "StrictHostKeyChecking=no" in command
    assert not any("HostKey" in word for word in dial_command(Endpoint("ssh://there/p"), "true"))


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")
@pytest.mark.usefixtures("answering")
def test_ctrl_c_is_not_for_it() -> None:
    connection = DockerConnection(Endpoint("ssh://there"), api_version="1.41")
    connection.client.info()
    (started,) = psutil.Process().children()
    status = Path(f"/proc/{started.pid}/status").read_text().splitlines()
    (ignored,) = (int(line.split()[1], 16) for line in status if line.startswith("SigIgn:"))
    assert ignored & 0b10
    # It keeps the terminal, to ask for a password.
    assert os.getsid(started.pid) == os.getsid(0)
    connection.close()


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("import sys; print('a warning', file=sys.stderr); sys.exit('no route')", "no route"),
        ("import sys; sys.stdin.readline(); sys.exit(255)", "`ssh` failed with exit code 255"),
        # What is closed in order was closed by the engine.
        ("import sys; sys.stdin.readline()", "the connection was closed"),
    ],
)
def test_the_reason_is_the_last_message_of_ssh(install: Install, program: str, reason: str) -> None:
    install(program)
    with pytest.raises(EngineLostError) as caught, docker_errors("connect"):
        DockerConnection(Endpoint("ssh://there"), api_version=None)
    assert caught.value.details == (reason,)
    with pytest.raises(EngineLostError) as caught:
        PodmanEngine.open(Endpoint("ssh://there/run/p.sock"))
    assert caught.value.details == (reason,)


def test_no_ssh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(EngineLostError) as caught, docker_errors("connect"):
        DockerConnection(Endpoint("ssh://there"), api_version=None)
    assert caught.value.details == ("the program `ssh` is not installed",)
