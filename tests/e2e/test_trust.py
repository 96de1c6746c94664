"""The clients themselves, before `trust`, after it and after `untrust`."""

from __future__ import annotations

import json
from pathlib import Path

from support.engines.real import Bed, docker_alone, on_each_podman

LAN = "192.0.2.1:5000"
DAEMON_JSON = Path("/etc/docker/daemon.json")


@docker_alone
def test_docker_is_told_of_an_address_without_a_restart(bed: Bed, folder: Path) -> None:
    bed.ok("up", "--host", "192.0.2.1", "--insecure-exposure")
    bed.add_image(f"{LAN}/app:1", folder)
    before = DAEMON_JSON.read_bytes() if DAEMON_JSON.exists() else None
    assert "HTTP response to HTTPS client" in bed.run("docker", "push", f"{LAN}/app:1").stderr

    # The classic store, and the one of containerd.
    wrote = bed.ok("trust", "docker")
    assert wrote in (f"wrote {DAEMON_JSON}\n", f"wrote /etc/docker/certs.d/{LAN}/hosts.toml\n")
    bed.engine_ok("push", f"{LAN}/app:1")
    assert bed.ok("trust", "docker") == ""
    assert json.loads(bed.ok("trust", "docker", "--list", "--json"))["clients"][0]["uses"] is True
    # A registry on loopback stays trusted, and needs nothing.
    assert bed.ok("--name", "other", "trust", "docker", "--location", "localhost:5001") == ""

    assert bed.ok("untrust", "docker").endswith(wrote.removeprefix("wrote "))
    assert (DAEMON_JSON.read_bytes() if DAEMON_JSON.exists() else None) == before
    assert "HTTP response to HTTPS client" in bed.run("docker", "push", f"{LAN}/app:1").stderr
    assert bed.inspect("registry")["State"]["Running"]
    assert bed.ok("untrust", "docker") == ""


@docker_alone
def test_docker_is_given_the_ca_of_a_registry(bed: Bed, folder: Path) -> None:
    bed.ok("up", "--host", "192.0.2.1", "--tls", "--auth")
    bed.add_image("localhost/app:1", folder)
    error = bed.refused(6, "push", "localhost/app:1")
    assert "hint: localreg --engine docker trust\n" in error

    wrote = bed.ok("trust", "docker")
    assert wrote == f"wrote /etc/docker/certs.d/{LAN}/localreg-docker.crt\n"
    bed.ok("push", "localhost/app:1")
    bed.ok("untrust", "docker")
    assert not Path(f"/etc/docker/certs.d/{LAN}").exists()
    assert "unknown authority" in bed.refused(6, "push", "localhost/app:1")


@on_each_podman
def test_podman_is_given_what_it_needs(podman: Bed, folder: Path) -> None:
    podman.add_image("localhost:5000/app:1", folder)
    podman.up()
    assert podman.ok("trust", "podman").startswith("wrote ")
    podman.engine_ok("push", "localhost:5000/app:1")

    podman.ok("up", "--tls", "--recreate")
    changed = podman.ok("trust", "podman")
    assert [line.partition(" ")[0] for line in changed.splitlines()] == ["removed", "wrote", "wrote"]
    podman.engine_ok("push", "localhost:5000/app:1")
    podman.engine_ok("push", "localhost:5000/app:1", "127.0.0.1:5000/again:1")
    assert len(podman.ok("untrust", "podman").splitlines()) == 2
    assert "unknown authority" in podman.run("podman", "push", "localhost:5000/app:1").stderr


@docker_alone
def test_every_client_of_the_machine_is_told(bed: Bed) -> None:
    bed.up()
    try:
        found = json.loads(bed.ok("trust", "--json"))["clients"]
        told = {each["client"]: each["in_force"] for each in found}
        used = {"localhost:5000": True, "127.0.0.1:5000": True}
        assert (told["docker"], told["podman"]) == (used, used)
    finally:
        bed.localreg("untrust")
