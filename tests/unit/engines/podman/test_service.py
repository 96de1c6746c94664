"""The private Podman service, with a stand-in for the `podman` program; the real one is in tests/e2e."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from localreg.engines.podman.service import end_hanging_service, private_service
from localreg.engines.values import Endpoint
from localreg.errors import EngineError, LocalregError
from localreg.system.waiting import wait_until

STAND_IN = f"""#!{sys.executable}
import os, socket, sys, threading
open(sys.argv[0] + ".started", "a").write(f"{{os.getpid()}}\\n")
open(sys.argv[0] + ".arguments", "w").write(" ".join(sys.argv[1:]))
path = sys.argv[-1].removeprefix("unix://")
server = socket.socket(socket.AF_UNIX)
server.bind(path)
server.listen()
def answer(connection):
    if connection.recv(4096):
        connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nOK")
    connection.close()
while True:
    threading.Thread(target=answer, args=server.accept()[:1]).start()
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


@pytest.mark.parametrize(("options", "seconds"), [({}, 60), ({"idle_seconds": 7}, 7)])
def test_it_is_told_to_end_when_nobody_is_connected(podman: Path, options: dict[str, int], seconds: int) -> None:
    endpoint = private_service(str(podman), **options)
    arguments = podman.with_name("podman.arguments").read_text()
    assert arguments == f"system service --time={seconds} {endpoint.url}"


def test_one_that_runs_is_used_again(podman: Path) -> None:
    assert private_service(str(podman)) == private_service(str(podman))
    assert len(started(podman)) == 1


@pytest.mark.parametrize("variable", ["CONTAINERS_CONF", "HOME"])
def test_another_configuration_gets_a_service_of_its_own(
    podman: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    first = private_service(str(podman))
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv(variable, "/elsewhere")
        assert private_service(str(podman)) != first
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


def test_the_socket_of_one_that_is_busy_stays(podman: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localreg.engines.podman.service._PING_SECONDS", 0.3)
    first = private_service(str(podman))
    (busy,) = started(podman)
    os.kill(busy, signal.SIGSTOP)
    second = private_service(str(podman))
    os.kill(busy, signal.SIGCONT)
    assert second != first
    assert first.socket is not None
    # Another process may have chosen it just before.
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(first.socket)


OTHER = """
import socket, sys
with socket.socket(socket.AF_UNIX) as connection:
    connection.connect(sys.argv[1])
    print("connected", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def hanging(podman: Path) -> Iterator[Endpoint]:
    """A service in which a request of this process hangs."""
    endpoint = private_service(str(podman))
    assert endpoint.socket is not None
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(endpoint.socket)
        yield endpoint


def test_one_in_which_a_request_hangs_is_ended(podman: Path, hanging: Endpoint) -> None:
    end_hanging_service(hanging)
    assert os.waitstatus_to_exitcode(os.waitpid(started(podman)[0], 0)[1]) == -signal.SIGTERM
    # Nothing happens where it has ended already.
    end_hanging_service(hanging)
    podman.with_name("podman.started").unlink()
    assert private_service(str(podman)) != hanging


def test_one_that_somebody_else_uses_goes_on(podman: Path, hanging: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    command = [sys.executable, "-c", OTHER, str(hanging.socket)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"connected\n"
        with monkeypatch.context() as impatient:
            impatient.setattr("localreg.engines.podman.service._CLOSING_SECONDS", 0.1)
            end_hanging_service(hanging)
        assert private_service(str(podman)) == hanging
        other.communicate()
    end_hanging_service(hanging)
    assert os.waitstatus_to_exitcode(os.waitpid(started(podman)[0], 0)[1]) == -signal.SIGTERM
    podman.with_name("podman.started").unlink()


def test_one_in_which_nothing_of_ours_hangs_is_left_to_its_idle_time(podman: Path) -> None:
    endpoint = private_service(str(podman))
    end_hanging_service(endpoint)
    assert private_service(str(podman)) == endpoint


def test_a_program_that_fails_is_quoted(podman: Path) -> None:
    podman.write_text("#!/bin/sh\necho 'storage is broken' >&2\nexit 125\n")
    with pytest.raises(EngineError, match="storage is broken") as caught:
        private_service(str(podman))
    assert caught.value.details == ("storage is broken",)


def test_a_program_that_is_none_is_an_error_of_ours(podman: Path) -> None:
    podman.write_text("no program")
    with pytest.raises(EngineError, match=str(podman)) as caught:
        private_service(str(podman))
    assert "Exec format error" in caught.value.details[0]


def test_one_that_never_answers_is_ended_with_its_children(podman: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localreg.engines.podman.service.START_SECONDS", 0.5)
    podman.write_text('#!/bin/sh\nsleep 1000 &\necho $! > "$0.child"\nwait\n')
    with pytest.raises(EngineError, match="podman system service") as caught:
        private_service(str(podman))
    assert (caught.value.hint, caught.value.details) == ("podman info", ())
    child = Path("/proc") / podman.with_name("podman.child").read_text().strip() / "stat"
    assert wait_until(lambda: has_ended(child), seconds=10)


def has_ended(stat: Path) -> bool:
    """Gone, or waiting to be fetched by whoever adopted it."""
    try:
        return stat.read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_another_users_runtime_folder_is_left_alone(
    podman: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    if os.getuid() == 0:
        os.chown(theirs, 4242, 4242)
    else:
        theirs = Path("/")
    monkeypatch.setattr("localreg.system.runtime_folder._runtime_parents", lambda: iter([theirs]))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    endpoint = private_service(str(podman))
    assert endpoint.socket is not None
    assert Path(endpoint.socket).parent == tmp_path / f"localreg-{os.getuid()}"
    assert not (theirs / "localreg").exists()


def test_a_path_that_no_socket_can_have_is_said(podman: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / ("é" * 50)
    folder.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    with pytest.raises(LocalregError, match=str(folder)) as caught:
        private_service(str(podman))
    assert caught.value.hint == "export TMPDIR=/tmp"
    assert started(podman) == []


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
    with pytest.raises(LocalregError):
        private_service(str(podman))
    assert started(podman) == []


def test_it_hears_neither_ctrl_c_nor_our_descriptors(podman: Path, tmp_path: Path) -> None:
    with (tmp_path / "secret").open("w"):
        private_service(str(podman))
    (pid,) = started(podman)
    assert os.getsid(pid) == pid
    opened = []
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        # The shell opens and closes some of its own meanwhile.
        with contextlib.suppress(FileNotFoundError):
            opened.append(str(descriptor.readlink()))
    assert [path for path in opened if "secret" in path or "lock" in path] == []
