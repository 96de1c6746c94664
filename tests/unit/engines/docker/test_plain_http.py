"""The cure for a Docker that expects TLS, by its image store and its user."""

from __future__ import annotations

import pytest

from localreg.engines.docker.plain_http import has_containerd_store, with_cure
from localreg.errors import RegistryError

WANTS_TLS = RegistryError(
    "no", details=['Get "https://reg.test:5000/v2/": http: server gave HTTP response to HTTPS client']
)


def cure(registry: str, *, containerd_store: bool = False, rootless: bool = False) -> str:
    return str(with_cure(WANTS_TLS, registry, containerd_store=containerd_store, rootless=rootless).hint)


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
        "sudo mkdir -p /etc/docker/certs.d/localhost:5000 && "
        "echo 'server = \"http://localhost:5000\"' | sudo tee /etc/docker/certs.d/localhost:5000/hosts.toml"
    )
    assert cure("localhost:5000", containerd_store=True, rootless=True).startswith("mkdir -p ~/.config/docker/certs.d/")


def test_other_errors_keep_their_hint() -> None:
    error = RegistryError("no", hint="else", details=["connection refused"])
    assert with_cure(error, "localhost:5000", containerd_store=True, rootless=False) is error


def test_the_store_is_told_by_info() -> None:
    assert has_containerd_store({"DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]]})
    assert not has_containerd_store({"DriverStatus": [["Backing Filesystem", "extfs"]]})
    assert not has_containerd_store({})
