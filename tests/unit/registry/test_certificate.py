"""Which names a registry's certificate has."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from localreg.engines.values import EngineInfo
from localreg.registry.certificate import new_certificate
from localreg.registry.options import RegistryOptions
from localreg.system.address import Address

HERE = EngineInfo("docker", "28.0.0", "unix:///var/run/docker.sock")
THERE = EngineInfo("docker", "28.0.0", "ssh://alias", remote=True, host="build-1.example.com")
ALWAYS = {"localhost", "127.0.0.1", "::1", "registry"}


@pytest.fixture(autouse=True)
def _data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))


@pytest.fixture
def notes() -> list[str]:
    return []


@pytest.mark.parametrize(
    ("machine", "info", "name", "address", "san", "more", "missing"),
    [
        ("laptop-7", HERE, "registry", "127.0.0.1", (), {"laptop-7"}, None),
        ("Laptop.lan", HERE, "registry", "127.0.0.1", ("a.lan",), {"laptop.lan", "a.lan"}, None),
        ("laptop", HERE, "registry", "127.0.0.1", (), set(), None),
        ("laptop", HERE, "registry", "127.0.0.9", (), {"127.0.0.9"}, None),
        ("laptop", HERE, "registry", "0.0.0.0", (), set(), "laptop"),
        ("laptop", HERE, "registry", "0.0.0.0", ("laptop",), {"laptop"}, None),
        ("laptop-7", HERE, "registry", "192.168.1.5", (), {"laptop-7", "192.168.1.5"}, None),
        ("laptop-7", THERE, "registry", "0.0.0.0", (), {"build-1.example.com"}, None),
        ("laptop-7", HERE, "team", "127.0.0.1", (), {"laptop-7"}, None),
        ("laptop-7", HERE, "team-a", "127.0.0.1", (), {"laptop-7", "team-a"}, None),
        ("laptop-7", HERE, "team.app", "127.0.0.1", (), {"laptop-7"}, None),
        ("laptop-7", HERE, "team.app", "127.0.0.1", ("team.app",), {"laptop-7", "team.app"}, None),
        ("laptop-7", HERE, "team.v2", "127.0.0.1", (), {"laptop-7", "team.v2"}, None),
        ("laptop-7", HERE, "Team_A", "127.0.0.1", (), {"laptop-7"}, None),
        ("a_b", HERE, "registry", "0.0.0.0", (), set(), None),
    ],
)
def test_a_certificate_has_the_names_that_clients_use(
    monkeypatch: pytest.MonkeyPatch,
    notes: list[str],
    *,
    machine: str,
    info: EngineInfo,
    name: str,
    address: str,
    san: tuple[str, ...],
    more: set[str],
    missing: str | None,
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: machine)
    made = new_certificate(info, name, RegistryOptions(san=san), Address(address, 5000), notes.append)
    assert set(made.facts.names) == ALWAYS | more
    assert [f"--san {missing}" in note for note in notes] == ([True] if missing else [])


def test_a_machine_that_changes_its_name_needs_no_other_authority(
    monkeypatch: pytest.MonkeyPatch, notes: list[str]
) -> None:
    for machine in ("laptop-7.home", "laptop-7.work"):
        monkeypatch.setattr(socket, "gethostname", lambda machine=machine: machine)
        made = new_certificate(HERE, "registry", RegistryOptions(), Address("127.0.0.1", 5000), notes.append)
        assert ("laptop-7.home" in made.facts.names) is (machine == "laptop-7.home")
    assert notes == []
    made = new_certificate(HERE, "registry", RegistryOptions(), Address("0.0.0.0", 5000), notes.append)
    assert "laptop-7.work" in made.facts.names
    assert "now permits `laptop-7.work` as well; `localreg trust` gives" in notes[0]
    new_certificate(HERE, "team-a", RegistryOptions(), Address("127.0.0.1", 5000), notes.append)
    assert "`localreg --name team-a trust` gives" in notes[1]
