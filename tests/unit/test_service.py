"""The private Podman service, with a stand-in for the `podman` program; the real one is in tests/e2e."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from localreg.engines.service import private_service
from localreg.errors import EngineError

STAND_IN = f"""#!{sys.executable}
import os, socket, sys
open(sys.argv[0] + ".started", "a").write(f"{{os.getpid()}}\\n")
path = sys.argv[-1].removeprefix("unix://")
server = socket.socket(socket.AF_UNIX)
server.bind(path)
server.listen()
while True:
    connection, _ = server.accept()
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nOK")
    connection.close()
"""


@pytest.fixture
def podman(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A program that serves like Podman, in a runtime folder of the test's own."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    program = tmp_path / "podman"
    program.write_text(STAND_IN)
    program.chmod(0o755)
    yield program
    for pid in started(program):
        os.kill(pid, signal.SIGKILL)


def started(program: Path) -> list[int]:
    record = program.with_name("podman.started")
    return [int(line) for line in record.read_text().split()] if record.exists() else []


def test_the_socket_is_in_a_folder_of_the_users_own(podman: Path, tmp_path: Path) -> None:
    endpoint = private_service(str(podman))
    assert endpoint.private
    assert endpoint.socket is not None
    assert Path(endpoint.socket).parent == tmp_path / "localreg"
    assert (tmp_path / "localreg").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "localreg/podman.log").stat().st_mode & 0o777 == 0o600


def test_one_that_runs_is_used_again(podman: Path) -> None:
    assert private_service(str(podman)) == private_service(str(podman))
    assert len(started(podman)) == 1


def test_another_configuration_gets_a_service_of_its_own(podman: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = private_service(str(podman))
    monkeypatch.setenv("CONTAINERS_CONF", "/elsewhere")
    assert private_service(str(podman)) != first
    monkeypatch.delenv("CONTAINERS_CONF")
    assert private_service(str(podman)) == first


def test_several_at_once_start_one(podman: Path) -> None:
    found = []
    threads = [threading.Thread(target=lambda: found.append(private_service(str(podman)))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert len(started(podman)) == 1


def test_a_socket_that_nobody_listens_on_is_replaced(podman: Path) -> None:
    first = private_service(str(podman))
    os.kill(started(podman)[0], signal.SIGKILL)
    os.waitpid(started(podman)[0], 0)
    podman.with_name("podman.started").unlink()
    second = private_service(str(podman))
    assert second != first
    assert first.socket is not None
    assert not Path(first.socket).exists()


def test_a_program_that_fails_is_quoted(podman: Path) -> None:
    podman.write_text("#!/bin/sh\necho 'storage is broken' >&2\nexit 125\n")
    with pytest.raises(EngineError, match="storage is broken") as caught:
        private_service(str(podman))
    assert caught.value.details == ("storage is broken",)


@pytest.mark.parametrize("kind", ["open", "link", "file"])
def test_a_folder_that_others_can_enter_is_refused(podman: Path, tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "localreg"
    if kind == "open":
        folder.mkdir()
        folder.chmod(0o755)
    elif kind == "link":
        folder.symlink_to(tmp_path)
    else:
        folder.touch()
    with pytest.raises(EngineError):
        private_service(str(podman))
    assert started(podman) == []


def test_it_hears_neither_ctrl_c_nor_our_descriptors(podman: Path, tmp_path: Path) -> None:
    with (tmp_path / "secret").open("w"):
        private_service(str(podman))
    (pid,) = started(podman)
    assert os.getsid(pid) == pid
    opened = subprocess.run(["ls", "-l", f"/proc/{pid}/fd"], capture_output=True, text=True, check=True).stdout
    assert "secret" not in opened
    assert "lock" not in opened
