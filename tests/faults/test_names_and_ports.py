"""Ports and names that something else uses."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
from support.engines.real import Bed, docker_alone, free_port, is_free, rootless_podman_alone
from support.faults.table import Fault, fault

from localreg.system.waiting import wait_until

LISTEN = "import socket; server = socket.create_server(('127.0.0.1', {port}))\nwhile True: server.accept()"
MET = re.compile(r"the registry refused `localhost:5000/app:1`: .+; pushing it again")


@contextlib.contextmanager
def program_on(bed: Bed, port: int) -> Iterator[str]:
    """A program of the same user that listens on a port; yields how localreg names it."""
    with bed.started(sys.executable, "-c", LISTEN.format(port=port)) as program:
        assert wait_until(lambda: not is_free(port), seconds=20, is_alive=lambda: program.poll() is None)
        yield f"`{psutil.Process(program.pid).name()}` (pid {program.pid})"


@docker_alone
@fault("port-used-by-program", "up --port {port}", code="port-taken", facts=["{port}", "127.0.0.1", "{program}"])
def test_a_port_that_a_program_uses(bed: Bed, shown: Fault) -> None:
    port = free_port()
    with program_on(bed, port) as program:
        said = shown.by(bed, port=port, program=program)
    assert f"hint: localreg --engine {bed.engine} up --port " in said
    assert not bed.exists("container", "registry")
    assert not bed.exists("volume", "localreg-registry")


@docker_alone
@fault("port-5000-used", "up", facts=["5000", "{program}", "localhost:5001"])
def test_port_5000_that_a_program_uses(bed: Bed, shown: Fault) -> None:
    with program_on(bed, 5000) as program:
        shown.by(bed, program=program)


@docker_alone
@fault("port-used-by-another-user", "up --port {port}", code="port-taken", facts=["{port}", "127.0.0.1", "user"])
def test_a_port_that_another_user_uses(unprivileged: tuple[Bed, dict[str, str]], shown: Fault) -> None:
    bed, env = unprivileged
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert os.getuid() != bed.uid
        shown.by(bed, env=env, port=server.getsockname()[1])


@fault(
    "port-used-by-container", "up --port {port}", code="port-taken", facts=["{port}", "127.0.0.1", "`web`", "{engine}"]
)
def test_a_port_that_a_container_uses(bed: Bed, folder: Path, shown: Fault) -> None:
    port = free_port()
    bed.add_image("localhost/web:1", folder)
    bed.engine_ok("run", "-d", "-p", f"127.0.0.1:{port}:80", "--name", "web", "localhost/web:1")
    shown.by(bed, port=port, engine=bed.program.capitalize())


@rootless_podman_alone
@fault(
    "port-needs-root",
    "up --port 80",
    code="engine-failed",
    facts=["port 80", "rootless", "up --port "],
    kept="podman-rootless",
)
def test_a_port_that_needs_root(bed: Bed, shown: Fault) -> None:
    shown.by(bed)
    assert not bed.exists("container", "registry")
    assert not bed.exists("volume", "localreg-registry")


@docker_alone
@fault("name-used-by-stopped-container", "up", code="name-taken", facts=["`registry`", "start registry"])
@fault(
    "name-used-by-something-else", "up", code="name-taken", facts=["`registry`", "localhost/app:1", "--name OTHER up\n"]
)
@fault("foreign-container-down", "down --volumes", code="not-ours", facts=["`registry`", "down --force"])
def test_a_name_that_a_foreign_container_uses(bed: Bed, folder: Path, faults: tuple[Fault, ...]) -> None:
    stopped, *others = faults
    for image, showings in (("localhost/registry:1", [stopped]), ("localhost/app:1", others)):
        bed.add_image(image, folder)
        bed.engine_ok("create", "--name", "registry", image)
        for shown in showings:
            shown.by(bed)
        if image != "localhost/app:1":
            bed.engine_ok("rm", "registry")
    assert bed.exists("container", "registry")


@fault("two-pushes", "push localhost/app:1", facts=["localhost:5000/app:1@sha256:"])
def test_two_pushes_at_once(bed: Bed, folder: Path, shown: Fault) -> None:
    bed.add_image("localhost/app:1", folder)
    bed.up()
    showings = [shown.begin(bed), shown.begin(bed)]
    # The registry can refuse the one that meets the other: that is told, and it is pushed again.
    first, second = ([line for line in showing.end().splitlines() if not MET.fullmatch(line)] for showing in showings)
    assert first == second
    assert bed.ok("ls", "-q") == "localhost:5000/app:1\n"
