"""Podman's CA goes where Podman looks, and hides nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from localreg.clients.podman.certificates import plan_certificates
from localreg.clients.port import Machine

PLACE = "localhost:5000"
CA = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    return Machine({"HOME": str(tmp_path / "home"), "XDG_CONFIG_HOME": str(tmp_path / "xdg")}, tmp_path)


def make(machine: Machine, *places: str, release: int = 5) -> list[str]:
    found = plan_certificates(machine, "registry", places, CA, release=release)
    for change in found.changes:
        change.make()
    return [str(path.relative_to(machine.root)) for path in found.files]


@pytest.mark.parametrize(("release", "base"), [(5, "home/.config"), (6, "xdg")])
def test_a_users_ca_is_in_the_users_folder(machine: Machine, release: int, base: str) -> None:
    assert make(machine, PLACE, release=release) == [f"{base}/containers/certs.d/{PLACE}/localreg-podman.crt"]
    assert make(machine, release=release) == []
    assert list((machine.root / base / "containers/certs.d").iterdir()) == []


def test_roots_ca_is_in_the_systems_folder(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert make(machine, PLACE) == [f"etc/containers/certs.d/{PLACE}/localreg-podman.crt"]


@pytest.mark.parametrize("there", ["home/.config/containers", "etc/containers", "etc/docker"])
def test_the_first_folder_that_exists_is_the_one_that_podman_reads(machine: Machine, there: str) -> None:
    folder = machine.root / there / "certs.d" / PLACE
    folder.mkdir(parents=True)
    (folder / "client.cert").touch()
    assert make(machine, PLACE) == [f"{there}/certs.d/{PLACE}/localreg-podman.crt"]
    make(machine)
    assert [path.name for path in folder.iterdir()] == ["client.cert"]


def test_a_file_of_others_with_the_same_ca_is_enough(machine: Machine) -> None:
    folder = machine.etc / "containers/certs.d" / PLACE
    folder.mkdir(parents=True)
    (folder / "company.crt").write_text(f"# company\n{CA}")
    (folder / "ca.pem").write_text(CA)
    found = plan_certificates(machine, "registry", [PLACE], CA, release=5)
    assert (found.changes, found.provided) == ([], {PLACE: str(folder / "company.crt")})
