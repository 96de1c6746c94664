"""Whether Docker expects TLS, as `GET /info` tells, and the cure, by its image store and its user."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from localreg.engines.docker import plain_http
from localreg.engines.docker.plain_http import read_plain_http
from localreg.engines.plain_http import PlainHttp
from localreg.engines.values import Endpoint
from localreg.errors import RegistryError
from localreg.system.command_line import CommandLine

WANTS_TLS = RegistryError(
    "no", details=['Get "https://reg.test:5000/v2/": http: server gave HTTP response to HTTPS client']
)
HERE = Endpoint("unix:///var/run/docker.sock")
CONTAINERD = {"DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]]}
USUAL = ("127.0.0.0/8", "::1/128")


def info(*networks: str, named: tuple[str, ...] = (), containerd_store: bool = False, **more: Any) -> dict[str, Any]:
    """What Docker says of itself, on this machine."""
    hub = {"Name": "docker.io", "Secure": True, "Official": True}
    entries = {name: {"Name": name, "Secure": False, "Official": False} for name in named}
    config = {"InsecureRegistryCIDRs": list(networks), "IndexConfigs": {"docker.io": hub, **entries}}
    store = CONTAINERD if containerd_store else {"DriverStatus": [["Backing Filesystem", "extfs"]]}
    return {"Name": socket.gethostname(), "RegistryConfig": config, "SecurityOptions": None, **store, **more}


def expects_tls(registry: str, found: dict[str, Any], endpoint: Endpoint = HERE) -> bool:
    try:
        read_plain_http(found, endpoint).check(registry)
    except RegistryError as exc:
        return registry in exc.message
    return False


@pytest.fixture(autouse=True)
def certificates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(plain_http, "_CONFIGURATION", tmp_path)
    return tmp_path / "certs.d"


LOOPBACK = ("localhost:5000", "127.0.0.1:5000", "127.5.5.5:5000", "[::1]:5000")


@pytest.mark.parametrize("registry", LOOPBACK)
def test_loopback_is_trusted_unless_the_configuration_says_otherwise(registry: str) -> None:
    assert not expects_tls(registry, info(*USUAL))
    assert not expects_tls(registry, info("10.0.0.0/8", *USUAL))
    # From Docker 29.10 on, a list takes the usual networks away.
    assert expects_tls(registry, info("10.0.0.0/8"))
    assert expects_tls(registry, info(named=("reg.test:5000",)))
    assert expects_tls(
        registry, info(RegistryConfig={"InsecureRegistryCIDRs": None, "IndexConfigs": {"docker.io": {}}})
    )
    assert not expects_tls(registry, info(named=(registry,)))


def test_one_of_the_two_addresses_of_localhost_is_enough() -> None:
    assert not expects_tls("localhost:5000", info("::1/128"))


def test_another_address_must_be_named() -> None:
    assert expects_tls("192.0.2.1:5000", info(*USUAL))
    assert not expects_tls("192.0.2.1:5000", info(*USUAL, "192.0.2.0/24"))
    assert not expects_tls("192.0.2.1:5000", info(*USUAL, "192.0.2.7/24"))
    assert not expects_tls("192.0.2.1:5000", info(*USUAL, named=("192.0.2.1:5000",)))
    assert expects_tls("192.0.2.1:5001", info(*USUAL, named=("192.0.2.1:5000",)))


@pytest.mark.parametrize(
    "found",
    [{}, {"RegistryConfig": None}, {"RegistryConfig": {"InsecureRegistryCIDRs": None, "IndexConfigs": None}}]
    + [info("10.0.0.0/8", unreadable) for unreadable in ("", "<nil>")],
)
def test_what_an_engine_does_not_tell_is_not_held_against_it(found: dict[str, Any]) -> None:
    assert not expects_tls("192.0.2.1:5000", found)


def test_a_name_is_looked_up_by_docker_alone() -> None:
    assert not expects_tls("reg.test:5000", info(*USUAL))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere Docker is in a virtual machine")
def test_containerds_own_configuration_counts(certificates: Path) -> None:
    found = info(*USUAL, containerd_store=True)
    assert expects_tls("192.0.2.1:5000", found)
    for folder in ("192.0.2.1:5000", "192.0.2.1_5000_", "_default"):
        (certificates / folder).mkdir(parents=True)
        assert not expects_tls("192.0.2.1:5000", found)
        (certificates / folder).rmdir()
    assert expects_tls("192.0.2.1:5000", found)
    certificates.rmdir()
    certificates.touch()
    assert not expects_tls("192.0.2.1:5000", found)


@pytest.mark.parametrize("registry", LOOPBACK)
def test_containerd_has_its_own_exception_for_loopback(registry: str) -> None:
    assert not expects_tls(registry, info("10.0.0.0/8", containerd_store=True))


@pytest.mark.parametrize(
    ("more", "endpoint"),
    [
        ({"Name": "docker-desktop"}, HERE),
        ({"DockerRootDir": "/var/snap/docker/common/var-lib-docker"}, HERE),
        ({"SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless"]}, HERE),
        ({}, Endpoint("tcp://127.0.0.1:2375")),
        ({}, Endpoint("ssh://there")),
    ],
)
def test_files_of_another_machine_are_not_known(more: dict[str, Any], endpoint: Endpoint) -> None:
    assert not expects_tls("192.0.2.1:5000", info(*USUAL, containerd_store=True, **more), endpoint)


def test_what_is_allowed_is_said() -> None:
    with pytest.raises(RegistryError) as caught:
        read_plain_http(info("10.0.0.0/8", named=("reg.test:5000",)), HERE).check("localhost:5000")
    assert caught.value.details == ("Docker is configured to use plain HTTP for 10.0.0.0/8, reg.test:5000",)
    assert "trust docker --location localhost:5000" in str(caught.value.hint)


def cure(registry: str, *, containerd_store: bool = False, rootless: bool = False) -> str:
    return str(PlainHttp(containerd_store, rootless).with_cure(WANTS_TLS, registry).hint)


@pytest.mark.parametrize("registry", ["localhost:5000", "127.0.0.1:5000", "[::1]:5000"])
def test_loopback_is_trusted_as_a_whole(registry: str) -> None:
    assert registry not in cure(registry)
    assert '"127.0.0.0/8", "::1/128"' in cure(registry)


def test_no_entry_stands_alone() -> None:
    assert '"127.0.0.0/8", "::1/128", "reg.test:5000"' in cure("reg.test:5000")
    assert "/etc/docker/daemon.json" in cure("reg.test:5000")
    assert "~/.config/docker/daemon.json" in cure("reg.test:5000", rootless=True)


def test_containerds_store_needs_no_restart() -> None:
    assert cure("localhost:5000", containerd_store=True) == (
        "on the machine of Docker, run `sudo mkdir -p /etc/docker/certs.d/localhost:5000 && "
        "echo 'server = \"http://localhost:5000\"' | sudo tee /etc/docker/certs.d/localhost:5000/hosts.toml`"
    )
    assert "run `mkdir -p ~/.config/docker/certs.d/" in cure("localhost:5000", containerd_store=True, rootless=True)


def test_other_errors_keep_their_hint() -> None:
    error = RegistryError("no", hint="else", details=["connection refused"])
    assert PlainHttp(containerd_store=True).with_cure(error, "localhost:5000") is error


def test_the_store_is_told_by_info() -> None:
    assert read_plain_http(info(containerd_store=True), HERE).containerd_store
    assert not read_plain_http(info(), HERE).containerd_store
    assert not read_plain_http({}, HERE).containerd_store


def test_what_localreg_can_do_itself_is_a_command_of_localreg(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = PlainHttp(place="here", folder=Path("/etc/docker"))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert rules.cure("192.0.2.1:5000") == ('sudo "$(command -v localreg)" trust docker --location 192.0.2.1:5000')
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert rules.cure("192.0.2.1:5000") == CommandLine("trust", "docker", "--location", "192.0.2.1:5000")
    assert PlainHttp(place="snap").cure("192.0.2.1:5000").endswith("then run `sudo snap restart docker`")


@pytest.mark.parametrize(
    ("more", "endpoint", "place"),
    [
        ({"OperatingSystem": "Docker Desktop", "Name": "docker-desktop"}, HERE, "desktop"),
        ({"Name": "colima"}, HERE, "virtual machine"),
        ({"DockerRootDir": "/var/snap/docker/common/var-lib-docker"}, HERE, "snap"),
        ({}, Endpoint("ssh://there"), "remote"),
        ({"SecurityOptions": ["name=rootless"]}, HERE, "other user"),
    ],
)
def test_the_place_of_the_daemon_is_told(more: dict[str, Any], endpoint: Endpoint, place: str) -> None:
    found = read_plain_http(info(**more), endpoint)
    assert (found.place, found.folder) == (place, None)


def test_a_rootless_docker_of_the_user_is_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "docker.sock").touch()
    found = read_plain_http(info(SecurityOptions=["name=rootless"]), Endpoint(f"unix://{tmp_path}/docker.sock"))
    assert (found.place, found.folder) == ("here", tmp_path / "docker")
