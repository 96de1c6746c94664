"""An engine that is missing, does not answer, is something else, or stops in the middle."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.engines.connections import CuttingProxy, at, listen
from support.engines.real import BEDS, TESTER_UID, Bed, docker_alone
from support.faults.table import Fault, fault

from localreg.engines.discovery.probe import ANSWER_SECONDS
from localreg.engines.podman.service import START_SECONDS

ADDRESS = "192.0.2.1"
"""The sandbox's second interface: on this machine, but not loopback."""


@fault("socket-missing", "status", code="engine-unavailable", facts=["{socket}"])
def test_a_missing_socket(bed: Bed, folder: Path, shown: Fault) -> None:
    shown.by(bed, env=at(bed, f"unix://{folder}/none.sock"), socket=folder / "none.sock")


@fault("daemon-not-running", "status", code="engine-unavailable", facts=["{socket}"])
def test_a_daemon_that_is_not_running(bed: Bed, folder: Path, shown: Fault) -> None:
    listen(folder / "left.sock", bed.uid).close()
    shown.by(bed, env=at(bed, f"unix://{folder}/left.sock"), socket=folder / "left.sock")


@fault("socket-not-permitted", "status", code="engine-unavailable", facts=["{socket}", "permission denied", "root"])
@pytest.mark.parametrize("program", ["docker", "podman"])
def test_a_socket_without_permission(program: str, folder: Path, shown: Fault) -> None:
    user = Bed(program, program, TESTER_UID)
    with listen(folder / "roots.sock", 0):
        shown.by(user, env=at(user, f"unix://{folder}/roots.sock"), socket=folder / "roots.sock")


@fault(
    "engine-silent",
    "ls",
    code="engine-unavailable",
    facts=["{socket}", "{seconds} seconds"],
    seconds=ANSWER_SECONDS,
)
@pytest.mark.waits
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


@fault("engine-closes-connections", "ls", code="engine-unavailable", facts=["{socket}"])
def test_an_engine_that_closes_connections(bed: Bed, folder: Path, shown: Fault) -> None:
    path = folder / "closing.sock"
    with listen(path, bed.uid) as server:
        threading.Thread(target=answer_all, args=(server, b""), daemon=True).start()
        shown.by(bed, env=at(bed, f"unix://{path}"), socket=path)


@fault("not-an-engine", "ls", code="engine-unavailable", facts=["{socket}"])
def test_something_else_on_the_socket(bed: Bed, folder: Path, shown: Fault) -> None:
    path = folder / "odd.sock"
    for answer in ODD_ANSWERS:
        with listen(path, bed.uid) as server:
            threading.Thread(target=answer_all, args=(server, answer), daemon=True).start()
            if answer == ODD_ANSWERS[-1]:
                shown.by(bed, env=at(bed, f"unix://{path}"), socket=path)
            else:
                error = bed.refused(3, "ls", env=at(bed, f"unix://{path}"))
                assert f"{path}: " in error
        path.unlink()


@fault("proxy-without-upgrade", "gc", code="engine-lost", facts=["proxy", "`Upgrade`"])
def test_a_proxy_that_upgrades_no_connection(bed: Bed, folder: Path, shown: Fault) -> None:
    bed.up()
    path = folder / "proxy.sock"
    with CuttingProxy(listen(path, bed.uid), bed.api.socket, upgrades=False):
        shown.by(bed, env=at(bed, f"unix://{path}"))


@contextlib.contextmanager
def killed_at(bed: Bed, request: bytes, folder: Path) -> Iterator[dict[str, str]]:
    """An environment that names the bed's engine, which disappears when it gets this request."""
    path = folder / "proxy.sock"
    with CuttingProxy(listen(path, bed.uid), bed.api.socket, cut_at=request):
        yield at(bed, f"unix://{path}")
    path.unlink()


@fault(
    "engine-lost-during-push", "push localhost/app:1", code="engine-lost", facts=["{engine}", "localhost:5000/app:1"]
)
def test_an_engine_killed_during_a_push(bed: Bed, folder: Path, shown: Fault) -> None:
    bed.add_image("localhost/app:1", folder)
    bed.up()
    shown.by(bed, within=lambda: killed_at(bed, b"/push?", folder), engine=bed.program.capitalize())
    # Nothing is lost: the same command finishes the push.
    assert bed.ok("push", "localhost/app:1").startswith("localhost:5000/app:1@")


@fault("engine-lost-during-pull", "pull app:1", code="engine-lost", facts=["{engine}", "localhost:5000/app:1"])
def test_an_engine_killed_during_a_pull(bed: Bed, folder: Path, shown: Fault) -> None:
    bed.add_image("localhost/app:1", folder)
    bed.up()
    bed.push("localhost/app:1")
    request = b"/images/pull?" if bed.program == "podman" else b"/images/create?"
    shown.by(bed, within=lambda: killed_at(bed, request, folder), engine=bed.program.capitalize())
    assert bed.ok("pull", "app:1").startswith("localhost:5000/app:1@")


@fault("engine-lost-during-logs", "logs -f --tail 0", code="engine-lost", facts=["{engine}"])
def test_an_engine_killed_while_the_log_is_followed(bed: Bed, folder: Path, shown: Fault) -> None:
    bed.up()
    shown.by(bed, within=lambda: killed_at(bed, b"/logs?", folder), engine=bed.program.capitalize())


@docker_alone
@fault("remote-engine-rm", "rm app:1", code="registry-unreachable", facts=["127.0.0.1:5000", "up --recreate --host"])
@fault("remote-engine-status", "status", exit_code=6, facts=["out of reach", "tcp://{address}"])
def test_a_remote_engine(bed: Bed, faults: tuple[Fault, ...]) -> None:
    bed.up()
    server = socket.create_server((ADDRESS, 0))
    address = f"{ADDRESS}:{server.getsockname()[1]}"
    env = at(bed, f"tcp://{address}")
    with CuttingProxy(server, bed.api.socket):
        for shown in faults:
            shown.by(bed, env=env, address=address)


@fault(
    "engine-host-unreachable",
    "ls",
    code="engine-unavailable",
    facts=["{address}", "no route to host"],
    seconds=ANSWER_SECONDS,
)
def test_an_unreachable_machine(pair: tuple[Bed, Bed], shown: Fault) -> None:
    address = "tcp://192.0.2.254:2375"
    for showing in [shown.begin(bed, env=at(bed, address), address=address) for bed in pair]:
        showing.end()


@fault(
    "engine-ssh-refused",
    "ls",
    code="engine-unavailable",
    facts=["{address}", "ssh: connect to host 127.0.0.1 port 1: Connection refused"],
)
def test_ssh_is_refused(bed: Bed, shown: Fault) -> None:
    address = "ssh://tester@127.0.0.1:1/run/podman.sock" if bed.program == "podman" else "ssh://tester@127.0.0.1:1"
    shown.by(bed, env=at(bed, address), address=address)


@fault(
    "podman-service-fails",
    "status",
    code="engine-unavailable",
    facts=["podman system service"],
    seconds=START_SECONDS,
    kept=None,
)
def test_podman_without_a_home_to_write_to(shown: Fault, read_only: Path) -> None:
    shown.by(BEDS["podman-rootless"], env={"HOME": str(read_only)})


@fault(
    "podman-ssh-without-socket",
    "ls",
    code="engine-unavailable",
    facts=["ssh://there", "podman.sock"],
    kept="podman-rootless",
)
def test_an_ssh_address_without_a_socket(shown: Fault) -> None:
    shown.by(BEDS["podman-rootless"], env={"CONTAINER_HOST": "ssh://there"})
