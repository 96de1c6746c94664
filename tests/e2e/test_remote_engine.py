"""An engine on another machine, as far as its address tells: its loopback is not ours."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from beds import Bed
from benches import CuttingProxy, engine_socket

ADDRESS = "192.0.2.1"
"""Of the sandbox's second interface: this machine's own, and no loopback."""


@pytest.fixture
def remote(docker: Bed) -> Iterator[dict[str, str]]:
    """An environment that names Docker by an address that is not loopback."""
    server = socket.create_server((ADDRESS, 0))
    address = {"DOCKER_HOST": f"tcp://{ADDRESS}:{server.getsockname()[1]}"}
    with engine_socket(docker) as target, CuttingProxy(server, target):
        yield address


def test_its_loopback_is_not_taken_for_ours(docker: Bed, remote: dict[str, str], folder: Path) -> None:
    docker.add_image("localhost/app:1", folder)
    up = docker.ok("up", "--format", "table", env=remote)
    assert "the engine's machine only" in up
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
    error = docker.refused(6, "ls", env=remote)
    assert "of the engine's machine, which is not this one" in error
    assert "localreg up --recreate --host ADDRESS" in error
    docker.ok("down", "--volumes", env=remote)


def test_what_is_published_to_everybody_is_reached_there(docker: Bed, remote: dict[str, str], folder: Path) -> None:
    docker.add_image("localhost/app:1", folder)
    result = docker.localreg("up", "--host", "0.0.0.0", env=remote)
    assert result.returncode == 0
    assert "there is no password" in result.stderr
    docker.ok("push", "localhost/app:1", env=remote)
    assert docker.ok("ls", "-q", env=remote) == "localhost:5000/app:1\n"
    assert json.loads(docker.ok("status", "--json", env=remote))["registry"]["url"] == f"http://{ADDRESS}:5000"
