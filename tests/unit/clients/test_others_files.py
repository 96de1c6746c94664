"""What others have made is there again afterwards: an empty file, a link to a file, a linked folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from support.clients.own_machine import make_machine, put_file, put_program, take_tree, trust
from support.kills.at_changes import killed_at_each_change
from support.rights import ordinary_user

from localreg.clients.buildkit.client import BuildKit
from localreg.clients.certs_d import Wanted, plan_files
from localreg.clients.containerd.client import Containerd
from localreg.clients.k3s.client import K3s
from localreg.clients.port import Client, Machine, Target
from localreg.clients.trust import get_client, list_clients, make_trust
from localreg.errors import ConfigError

CA = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
PLACE, OTHER = "reg.test:5000", "reg.test:5001"
FILES: dict[str, tuple[Callable[[Machine], Client], str]] = {
    "k3s": (K3s, "etc/rancher/k3s/registries.yaml"),
    "buildkit": (BuildKit, "etc/buildkit/buildkitd.toml"),
    "containerd": (Containerd, f"etc/containerd/certs.d/{PLACE}/hosts.toml"),
}
each_client = pytest.mark.parametrize("client", FILES)
each_ca = pytest.mark.parametrize("ca", [None, CA])


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return made(tmp_path)


def made(folder: Path) -> Machine:
    """A machine whose programs all fail."""
    machine = make_machine(folder)
    for program in ("k3s", "buildkitd", "containerd", "ctr", "docker"):
        put_program(machine, program, "exit 1")
    return machine


@each_ca
@each_client
def test_an_empty_file_is_empty_again(machine: Machine, client: str, ca: str | None) -> None:
    make, path = FILES[client]
    put_file(machine, path, b"")
    before = take_tree(machine)
    assert trust(make(machine), PLACE, ca=ca)
    assert not trust(make(machine), PLACE, ca=ca)
    assert trust(make(machine), OTHER, ca=ca, name="other")
    assert trust(make(machine), PLACE, "reg.test:5002", ca=ca)
    assert trust(make(machine))
    assert trust(make(machine), name="other")
    assert {name: data for name, data in take_tree(machine).items() if name in before} == before


def test_an_empty_file_of_a_folder_of_registries_is_empty_again(machine: Machine) -> None:
    file = put_file(machine, f"certs.d/{PLACE}/hosts.toml", b"")
    for wanted in ([Wanted(file, "a = 1\n")], [Wanted(file, "a = 2\n")], []):
        for change in plan_files("docker", "registry", [file.parent.parent], wanted):
            change.make()
    assert file.read_bytes() == b""


@each_ca
@each_client
@pytest.mark.parametrize("there", [b"", None])
def test_a_link_stays_a_link(machine: Machine, client: str, ca: str | None, there: bytes | None) -> None:
    make, path = FILES[client]
    link = put_file(machine, path, b"")
    link.unlink()
    file = machine.root / "dotfiles" / link.name
    file.parent.mkdir()
    if there is not None:
        file.write_bytes(there)
    link.symlink_to(file)
    assert trust(make(machine), PLACE, ca=ca)
    assert PLACE.encode() in file.read_bytes()
    trust(make(machine))
    assert link.is_symlink()
    assert file.read_bytes() == b""


@pytest.mark.parametrize("client", ["containerd", "podman"])
def test_a_folder_that_only_root_may_read_is_named(machine: Machine, client: str) -> None:
    folder = machine.etc / {"podman": "containers"}.get(client, client)
    (folder / "certs.d").mkdir(parents=True)
    folder.chmod(0)
    with ordinary_user():
        assert client in {each.name for each in list_clients(machine)}
        with pytest.raises(ConfigError, match="cannot read") as caught:
            make_trust(get_client(client, machine), Target("registry", (PLACE,)))
    folder.chmod(0o755)
    assert str(caught.value.hint).endswith(f"trust {client} --location {PLACE}")


def test_podman_needs_no_folder_of_docker_that_only_root_may_read(machine: Machine) -> None:
    (machine.etc / "docker/certs.d").mkdir(parents=True)
    (machine.etc / "docker").chmod(0)
    with ordinary_user():
        client = get_client("podman", machine)
        assert trust(client, PLACE, ca=CA)
        assert trust(client)
    (machine.etc / "docker").chmod(0o755)


@each_ca
@each_client
def test_what_a_link_leads_to_is_replaced_only_if_it_is_a_file(
    machine: Machine, client: str, ca: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As /dev/null: the file of a link to it is empty."""
    make, path = FILES[client]
    device = machine.root / "null"
    os.mkfifo(device)
    read = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: b"" if path.resolve() == device else read(path))
    link = put_file(machine, path, b"")
    link.unlink()
    link.symlink_to(device)
    with pytest.raises(ConfigError, match=r"cannot write .*not a regular file"):
        trust(make(machine), PLACE, ca=ca)
    assert device.is_fifo()
    assert link.readlink() == device


@each_ca
@each_client
def test_a_linked_folder_stays_a_link(machine: Machine, client: str, ca: str | None) -> None:
    make, path = FILES[client]
    folder = (machine.root / path).parent
    folder.parent.mkdir(parents=True, exist_ok=True)
    elsewhere = machine.root / "elsewhere"
    elsewhere.mkdir()
    folder.symlink_to(elsewhere)
    assert trust(make(machine), PLACE, ca=ca)
    assert trust(make(machine))
    assert folder.is_symlink()
    assert list(elsewhere.iterdir()) == []


@each_client
@pytest.mark.parametrize("undo", [False, True])
def test_a_kill_does_not_make_an_empty_file_localregs(tmp_path: Path, client: str, *, undo: bool) -> None:
    make, path = FILES[client]
    kills = 0
    machine = made(tmp_path)

    def prepare() -> None:
        nonlocal machine
        machine = made(tmp_path / str(kills))
        put_file(machine, path, b"")
        if undo:
            trust(make(machine), PLACE, ca=CA)

    def act() -> None:
        trust(make(machine), *([] if undo else [PLACE]), ca=None if undo else CA)

    for _ in killed_at_each_change(prepare, act):
        kills += 1
        act()
        trust(make(machine))
        assert (machine.root / path).read_bytes() == b""
    assert kills > 1
