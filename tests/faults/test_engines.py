"""What is said of an engine that is not there, is silent, is none, or goes away in the middle."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from beds import BEDS, TESTER_UID, Bed
from benches import CuttingProxy, at, engine_socket, listen
from fault_table import Fault, fault

from localreg.engines.discovery.probe import ANSWER_SECONDS
from localreg.engines.discovery.ssh import SSH_SECONDS
from localreg.engines.podman.service import START_SECONDS

ADDRESS = "192.0.2.1"
"""Of the sandbox's second interface: this machine's own, and no loopback."""


@fault("the engine's socket is not there", "status", code=3, says="{socket}: no socket")
def test_no_socket(either: Bed, folder: Path, shown: Fault) -> None:
    shown.by(either, env=at(either, f"unix://{folder}/none.sock"), socket=folder / "none.sock")


@fault(
    "nobody listens on the engine's socket", "status", code=3, says="{socket}: a socket, but the daemon is not running"
)
def test_nobody_listens(either: Bed, folder: Path, shown: Fault) -> None:
    listen(folder / "left.sock", either.uid).close()
    shown.by(either, env=at(either, f"unix://{folder}/left.sock"), socket=folder / "left.sock")


@fault("the engine's socket is for others", "status", code=3, says="{socket}: permission denied; it is for root only")
@pytest.mark.parametrize("program", ["docker", "podman"])
def test_a_socket_without_permission(program: str, folder: Path, shown: Fault) -> None:
    user = Bed(program, program, TESTER_UID)
    with listen(folder / "roots.sock", 0):
        shown.by(user, env=at(user, f"unix://{folder}/roots.sock"), socket=folder / "roots.sock")


@fault(
    "the engine takes connections and never answers",
    "ls",
    code=3,
    says="{socket}: accepts connections but does not answer within 10 seconds",
    seconds=ANSWER_SECONDS,
)
def test_a_silent_engine(pair: tuple[Bed, Bed], folder: Path, shown: Fault) -> None:
    with contextlib.ExitStack() as stack:
        showings = []
        for bed in pair:
            path = folder / f"{bed.name}.sock"
            stack.enter_context(listen(path, bed.uid))
            showings.append(shown.begin(bed, env=at(bed, f"unix://{path}"), socket=path))
        for showing in showings:
            showing.end()


ODD_ANSWERS = (b"\0\xff\n", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nOK")


def answer_all(server: socket.socket, answer: bytes) -> None:
    with contextlib.suppress(OSError):
        while True:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)


@fault("the engine hangs up", "ls", code=3, says="{socket}: takes connections and closes them without an answer")
def test_an_engine_that_hangs_up(either: Bed, folder: Path, shown: Fault) -> None:
    path = folder / "closing.sock"
    with listen(path, either.uid) as server:
        threading.Thread(target=answer_all, args=(server, b""), daemon=True).start()
        shown.by(either, env=at(either, f"unix://{path}"), socket=path)


@fault("what answers is no engine", "ls", code=3, says="{socket}: what answers is no container engine")
def test_what_is_no_engine(either: Bed, folder: Path, shown: Fault) -> None:
    path = folder / "odd.sock"
    for answer in ODD_ANSWERS:
        with listen(path, either.uid) as server:
            threading.Thread(target=answer_all, args=(server, answer), daemon=True).start()
            if answer == ODD_ANSWERS[-1]:
                shown.by(either, env=at(either, f"unix://{path}"), socket=path)
            else:
                error = either.refused(3, "ls", env=at(either, f"unix://{path}"))
                assert f"{path}: what answers is no container engine" in error
        path.unlink()


@contextlib.contextmanager
def killed_at(bed: Bed, request: bytes, folder: Path) -> Iterator[dict[str, str]]:
    """An environment that names the bed's engine, which goes away when it gets this request."""
    path = folder / "proxy.sock"
    with engine_socket(bed) as target, CuttingProxy(listen(path, bed.uid), target, cut_at=request):
        yield at(bed, f"unix://{path}")
    path.unlink()


@fault("the engine is killed during a push", "push localhost/app:1", code=1, says="lost {engine} while trying to push")
def test_killed_during_a_push(either: Bed, folder: Path, shown: Fault) -> None:
    either.add_image("localhost/app:1", folder)
    either.ok("up")
    shown.by(either, within=lambda: killed_at(either, b"/push?", folder), engine=either.program.capitalize())
    # Nothing is lost: what was cut off is done by the same command.
    assert either.ok("push", "localhost/app:1").startswith("localhost:5000/app:1@")


@fault("the engine is killed during a pull", "pull app:1", code=1, says="lost {engine} while trying to pull")
def test_killed_during_a_pull(either: Bed, folder: Path, shown: Fault) -> None:
    either.add_image("localhost/app:1", folder)
    either.ok("up")
    either.ok("push", "localhost/app:1")
    request = b"/images/pull?" if either.program == "podman" else b"/images/create?"
    shown.by(either, within=lambda: killed_at(either, request, folder), engine=either.program.capitalize())
    assert either.ok("pull", "app:1").startswith("localhost:5000/app:1@")


@fault(
    "the engine is killed during `logs -f`",
    "logs -f --tail 0",
    code=1,
    says="lost {engine} while trying to read the log",
)
def test_killed_while_the_log_is_followed(either: Bed, folder: Path, shown: Fault) -> None:
    either.ok("up")
    shown.by(either, within=lambda: killed_at(either, b"/logs?", folder), engine=either.program.capitalize())


@fault(
    "the engine is on another machine, and the registry on that machine's loopback",
    "ls",
    code=6,
    says="of the engine's machine, which is not this one",
)
@fault("the same, asked for its state", "status", code=6, says="out of reach")
def test_a_remote_engine(either: Bed, faults: tuple[Fault, ...]) -> None:
    either.ok("up")
    server = socket.create_server((ADDRESS, 0))
    env = at(either, f"tcp://{ADDRESS}:{server.getsockname()[1]}")
    with engine_socket(either) as target, CuttingProxy(server, target):
        for shown in faults:
            shown.by(either, env=env)


@fault("the engine's machine is gone", "ls", code=3, says="{address}: no route to host", seconds=ANSWER_SECONDS)
def test_a_machine_that_is_gone(pair: tuple[Bed, Bed], shown: Fault) -> None:
    address = "tcp://192.0.2.254:2375"
    for showing in [shown.begin(bed, env=at(bed, address), address=address) for bed in pair]:
        showing.end()


@fault(
    "ssh does not reach the engine's machine",
    "ls",
    code=3,
    says="{address}: ssh: connect to host 127.0.0.1 port 1: Connection refused",
    seconds=SSH_SECONDS,
)
def test_ssh_that_is_refused(either: Bed, shown: Fault) -> None:
    address = "ssh://tester@127.0.0.1:1/run/podman.sock" if either.program == "podman" else "ssh://tester@127.0.0.1:1"
    shown.by(either, env=at(either, address), address=address)


@fault(
    "the engine's own program fails",
    "status",
    code=3,
    says="`podman system service` ended with exit code",
    seconds=START_SECONDS,
    kept=None,
)
def test_podman_without_a_home_to_write_to(shown: Fault, read_only: Path) -> None:
    shown.by(BEDS["podman-rootless"], env={"HOME": str(read_only)})


@fault(
    "an address of Podman's through ssh names no socket",
    "ls",
    code=3,
    says="ssh://there: no path of a socket",
    kept="podman-rootless",
)
def test_ssh_without_a_path(shown: Fault) -> None:
    shown.by(BEDS["podman-rootless"], env={"CONTAINER_HOST": "ssh://there"})
