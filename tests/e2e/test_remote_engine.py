"""An engine on another machine, as far as its address tells: its loopback is not ours."""

from __future__ import annotations

import json
import re
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.engines.builders import builder_path, write_dockerfile
from support.engines.connections import CuttingProxy, at
from support.engines.real import Bed, docker_alone
from support.tunnels import stand_in_ssh
from support.tunnels.far_host import ADDRESS as FAR
from support.tunnels.far_host import FarHost
from support.tunnels.opened import ssh_config

ADDRESS = "192.0.2.1"
"""Of the sandbox's second interface: this machine's own, and no loopback."""


@pytest.fixture
def remote(docker: Bed) -> Iterator[dict[str, str]]:
    """An environment that names Docker by an address that is not loopback."""
    server = socket.create_server((ADDRESS, 0))
    # The proxy is not there: nobody has to ask it.
    address = {"DOCKER_HOST": f"tcp://{ADDRESS}:{server.getsockname()[1]}", "HTTP_PROXY": "http://192.0.2.254:3128"}
    with CuttingProxy(server, docker.api.socket):
        yield address


def test_its_loopback_is_not_taken_for_ours(docker: Bed, remote: dict[str, str], folder: Path) -> None:
    docker.add_image("localhost/app:1", folder)
    up = docker.ok("up", "--format", "table", env=remote)
    assert "127.0.0.1" not in up
    status = docker.localreg("status", "--json", env=remote)
    found = json.loads(status.stdout)
    assert (found["engine"]["remote"], found["registry"]["url"], status.returncode) == (True, None, 6)
    assert found["health"] == "out of reach"
    pushed = docker.ok("push", "localhost/app:1", env=remote)
    assert pushed.startswith("localhost:5000/app:1@sha256:")
    # Its log has gone on since it said that it listens.
    assert docker.ok("up", env=remote) == "localhost:5000\n"
    docker.engine_ok("stop", "registry")
    assert docker.ok("up", env=remote) == "localhost:5000\n"
    assert docker.ok("pull", "app:1", env=remote) == pushed
    # By a shell in the registry's container.
    listed = docker.ok("ls", env=remote).split("\t")
    assert listed[:3] == ["app", "1", pushed.rpartition("@")[2].strip()]
    assert "\npushed\t" in docker.ok("inspect", "app:1", env=remote)
    assert docker.ok("du", env=remote).startswith("app\t")
    assert json.loads(docker.ok("gc", "--dry-run", "--json", env=remote))["blobs"] == []
    assert "up --recreate --host ADDRESS" in docker.refused(6, "prune", "--keep", "1", env=remote)
    error = docker.refused(6, "rm", "app:1", env=remote)
    assert "127.0.0.1:5000" in error
    assert "up --recreate --host ADDRESS" in error
    docker.ok("down", "--volumes", env=remote)


def test_what_is_published_to_everybody_is_reached_there(docker: Bed, remote: dict[str, str], folder: Path) -> None:
    docker.add_image("localhost/app:1", folder)
    result = docker.localreg("up", "--host", "0.0.0.0", "--insecure-exposure", env=remote)
    assert result.returncode == 0
    assert result.stderr.startswith("warning: ")
    docker.ok("push", "localhost/app:1", env=remote)
    assert docker.ok("ls", "-q", env=remote) == "localhost:5000/app:1\n"
    assert json.loads(docker.ok("status", "--json", env=remote))["registry"]["url"] == f"http://{ADDRESS}:5000"


@pytest.fixture
def behind_ssh(bed: Bed, folder: Path) -> Iterator[dict[str, str]]:
    """An environment that names an engine behind ssh; the other machine is this one."""
    program = folder / "ssh"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {stand_in_ssh.__file__} "$@"\n')
    program.chmod(0o755)
    path = {"PATH": f"{folder}:{bed.environment['PATH']}"}
    if bed.program == "docker":
        yield at(bed, "ssh://me@there") | path
        return
    yield at(bed, f"ssh://me@there{bed.api.socket}") | path


def test_an_engine_behind_ssh_does_the_main_job(bed: Bed, behind_ssh: dict[str, str], folder: Path) -> None:
    bed.add_image("localhost/app:1", folder)
    assert bed.ok("up", env=behind_ssh) == "localhost:5000\n"
    pushed = bed.ok("push", "localhost/app:1", env=behind_ssh)
    # The registry, which could be asked for the digest, is out of reach; Docker and recent Podmans say it.
    digest = "@sha256:[0-9a-f]{64}"
    assert re.fullmatch(f"localhost:5000/app:1({digest}){'' if bed.program == 'docker' else '?'}\n", pushed)
    assert bed.ok("pull", "app:1", env=behind_ssh).startswith("localhost:5000/app:1")
    if bed.program == "docker":
        # Podman's program goes through ssh by itself, and not with the stand-in.
        write_dockerfile(folder)
        path = {"PATH": f"{folder}:{builder_path()}"}
        assert bed.ok("build", str(folder), "-t", "b", env=behind_ssh | path).startswith("localhost:5000/b:latest@")
    assert "/v2/app/manifests/1" in bed.ok("logs", env=behind_ssh)
    assert json.loads(bed.localreg("status", "--json", env=behind_ssh).stdout)["health"] == "out of reach"
    for command in (["podman-fix"], ["podman-fix", "--dry-run"], ["up", "--podman-fix"]):
        assert f"run `localreg --engine {bed.engine} podman-fix`" in bed.refused(5, *command, env=behind_ssh)
    assert "podman-fix" not in bed.localreg("status", env=behind_ssh).stdout
    assert bed.ok("down", "--volumes", env=behind_ssh).splitlines()[0] == "container registry"


def test_a_podman_connection_logs_in_with_its_key(podman: Bed, folder: Path) -> None:
    words, program = folder / "words", folder / "ssh"
    words.touch(mode=0o666)
    words.chmod(0o666)
    program.write_text(f'#!/bin/sh\necho "$*" >>{words}\nexec {sys.executable} {stand_in_ssh.__file__} "$@"\n')
    program.chmod(0o755)
    conf = podman.home / ".config/containers/containers.conf"
    podman.run("mkdir", "-p", str(conf.parent))
    place = f"ssh://me@there{podman.api.socket}"
    (folder / "key").touch()
    conf.write_text(f'[engine.service_destinations.there]\nuri = "{place}"\nidentity = "{folder}/key"\n')
    path = {"PATH": f"{folder}:{podman.environment['PATH']}", "CONTAINER_CONNECTION": "there"}
    try:
        result = podman.localreg("status", "--json", env=path)
    finally:
        conf.unlink()
    assert result.returncode == 4, result.stderr
    found = json.loads(result.stdout)["engine"]
    assert (found["endpoint"], found["context"], found["remote"]) == (place, "there", True)
    logins = [line for line in words.read_text().splitlines() if not line.startswith("-G ")]
    assert len(logins) > 1
    assert all(f"-i {folder}/key" in line for line in logins)


CONFIG = """\
Host Jump
    HostName {far}
    User root
    IdentityFile {key}
Host ::1
    Port 2222
    User root
    ProxyJump Jump
    IdentityFile {key}
"""
"""An alias, and an address that is another machine's behind it."""


def test_what_ssh_config_says_counts(bed: Bed, far: FarHost) -> None:
    key = far.let_in(bed)
    # A wrong port is noticed: the name of a host in the known hosts has its port.
    far.restart_sshd("Port 22", "Port 2222")
    known = Path("/etc/ssh/ssh_known_hosts")
    known.write_text(f"{known.read_text()}[::1]:2222 {far.host_key.with_suffix('.pub').read_text()}")
    bed.ok("up", "--host", "0.0.0.0", "--insecure-exposure")
    with ssh_config(CONFIG.format(far=FAR, key=key)):
        # The network name of the alias, not the alias.
        for name, there in (("Jump", FAR), ("[::1]", "[::1]")):
            url = f"ssh://{name}{bed.api.socket}"
            status = json.loads(bed.localreg("status", "--json", env=at(bed, url)).stdout)
            assert status["engine"]["endpoint"] == url
            assert status["registry"]["url"] == f"http://{there}:5000"


@docker_alone
def test_the_reason_is_that_of_ssh_or_of_the_program_there(bed: Bed, far: FarHost) -> None:
    url = f"ssh://root@{FAR}"
    assert "Permission denied (publickey" in bed.refused(3, "ls", env=at(bed, url))
    with ssh_config(f"Host {FAR}\n    IdentityFile {far.let_in(bed)}\n"):
        assert "dial unix /no.sock" in bed.refused(3, "ls", env=at(bed, f"{url}/no.sock"))
        far.forget()
        assert "Host key verification failed" in bed.refused(3, "ls", env=at(bed, url))
