"""The clients themselves, before `trust`, after it and after `untrust`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from support.engines.real import Bed, Distribution, docker_alone, on_each_podman
from support.registries.distribution import serving

LAN = "192.0.2.1:5000"
DAEMON_JSON = Path("/etc/docker/daemon.json")


@pytest.fixture
def secure(folder: Path, registry_program: Path) -> Iterator[Distribution]:
    """A registry whose certificate is signed by the CA in `ca.crt`."""
    authority = trustme.CA()
    made = authority.issue_cert("localhost", "127.0.0.1", "192.0.2.1")
    made.cert_chain_pems[0].write_to_path(str(folder / "certificate.pem"))
    made.private_key_pem.write_to_path(str(folder / "key.pem"))
    authority.cert_pem.write_to_path(str(folder / "ca.crt"))
    tls = f"tls: {{certificate: {folder}/certificate.pem, key: {folder}/key.pem}}"
    with serving(registry_program, folder / "data", http=tls, host="192.0.2.1") as found:
        yield found


@docker_alone
def test_docker_is_told_of_an_address_without_a_restart(bed: Bed, folder: Path) -> None:
    bed.ok("up", "--host", "192.0.2.1")
    bed.add_image(f"{LAN}/app:1", folder)
    before = DAEMON_JSON.read_bytes() if DAEMON_JSON.exists() else None
    assert "HTTP response to HTTPS client" in bed.run("docker", "push", f"{LAN}/app:1").stderr

    assert "daemon.json" in bed.ok("trust", "docker")
    bed.engine_ok("push", f"{LAN}/app:1")
    assert bed.ok("trust", "docker") == ""
    assert json.loads(bed.ok("trust", "docker", "--list", "--json"))["clients"][0]["in_force"] == {LAN: True}
    # A registry on loopback stays trusted, and needs nothing.
    assert bed.ok("--name", "other", "trust", "docker", "--location", "localhost:5001") == ""

    assert "daemon.json" in bed.ok("untrust", "docker")
    assert (DAEMON_JSON.read_bytes() if DAEMON_JSON.exists() else None) == before
    assert "HTTP response to HTTPS client" in bed.run("docker", "push", f"{LAN}/app:1").stderr
    assert bed.inspect("registry")["State"]["Running"]
    assert bed.ok("untrust", "docker") == ""


@docker_alone
def test_docker_is_given_the_ca_of_a_registry(bed: Bed, folder: Path, secure: Distribution) -> None:
    place = secure.location
    bed.add_image(f"{place}/app:1", folder)
    assert "x509" in bed.run("docker", "push", f"{place}/app:1").stderr
    wrote = bed.ok("trust", "docker", "--location", place, "--ca", str(folder / "ca.crt"))
    assert wrote == f"wrote /etc/docker/certs.d/{place}/localreg-docker.crt\n"
    bed.engine_ok("push", f"{place}/app:1")
    bed.ok("untrust", "docker")
    assert not Path(f"/etc/docker/certs.d/{place}").exists()
    assert "x509" in bed.run("docker", "push", f"{place}/app:1").stderr


@on_each_podman
def test_podman_is_given_what_it_needs(podman: Bed, folder: Path, secure: Distribution) -> None:
    place = secure.location
    podman.add_image("localhost:5000/app:1", folder)
    podman.up()
    assert podman.ok("trust", "podman").startswith("wrote ")
    podman.engine_ok("push", "localhost:5000/app:1")
    assert podman.ok("untrust", "podman").startswith("removed ")

    assert "x509" in podman.run("podman", "push", "localhost:5000/app:1", f"{place}/app:1").stderr
    podman.ok("trust", "podman", "--location", place, "--ca", str(folder / "ca.crt"))
    podman.engine_ok("push", "localhost:5000/app:1", f"{place}/app:1")
    podman.ok("untrust", "podman")
    assert "x509" in podman.run("podman", "push", "localhost:5000/app:1", f"{place}/app:1").stderr


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
