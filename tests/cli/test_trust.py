"""`trust` and `untrust` with a Docker in memory, a stand-in for `podman`, and a machine in a folder."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from cli.conftest import PodmanProgram
from support import schemas
from support.clients.dockerd import Dockerd
from support.engines.fake import FakeEngine

from localreg.cli import trust as command
from localreg.cli.app import main
from localreg.clients.port import Machine
from localreg.engines.values import PublishedPort
from localreg.errors import EngineUnavailableError, Unavailable
from localreg.registry.container import location_at
from localreg.system.address import Address

LAN = "192.0.2.1:5000"
LOCAL = ["localhost:5000", "127.0.0.1:5000"]
CA = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


@pytest.fixture
def docker(engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dockerd:
    """The only Docker; the registry is not up, so its usual addresses count."""
    assert engine.list_containers() == []
    daemon = Dockerd(tmp_path)
    daemon.file.write_text("{}")
    daemon.reached = dict.fromkeys([*LOCAL, LAN])
    machine = Machine({**os.environ, "HOME": str(tmp_path)}, tmp_path, daemon.machine.open_docker)
    monkeypatch.setattr(os, "kill", daemon.kill)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(command, "_machine", lambda _session: machine)
    return daemon


def run(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> tuple[str, str]:
    assert main([*arguments]) == code
    found = capsys.readouterr()
    return found.out, found.err


def test_every_client_is_told_and_asked(
    docker: Dockerd, podman: PodmanProgram, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    podman.allows(*LOCAL)
    found = schemas.check("trust", run(capsys, "trust", "--json")[0])
    assert {each["client"]: each["in_force"] for each in found["clients"]} == {
        "docker": dict.fromkeys(LOCAL, True),
        "podman": dict.fromkeys(LOCAL, True),
    }
    drop_in = tmp_path / ".config/containers/registries.conf.d/50-localreg.conf"
    assert [each["changes"] for each in found["clients"]] == [[], [{"path": str(drop_in), "action": "wrote"}]]
    assert docker.file.read_text() == "{}"
    assert run(capsys, "trust") == ("", "")
    assert run(capsys, "untrust") == (f"removed {drop_in}\n", "")
    assert run(capsys, "untrust") == ("", "")
    assert schemas.check("untrust", run(capsys, "untrust", "--json")[0])["errors"] == []


def test_the_result_says_how_to_undo_it(docker: Dockerd, capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = run(capsys, "--name", "lan", "trust", "docker", "--location", LAN, "--format", "table")
    assert str(docker.file.name) in out
    assert f"checked  docker can use {LAN}" in out
    assert "undo     localreg --name lan untrust docker" in out
    out, _ = run(capsys, "trust", "docker", "--format", "table")
    assert "loopback" in out
    assert run(capsys, "untrust", "--format", "table")[0] == "Nothing to undo\n"


def test_a_dry_run_changes_nothing(docker: Dockerd, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("trust", "docker", "--location", LAN, "--dry-run")
    out, _ = run(capsys, *words)
    assert f'+{{"insecure-registries": ["127.0.0.0/8", "::1/128", "{LAN}"]}}' in out
    files = [line.split("/")[-1] for line in out.splitlines() if line.startswith("+++ ")]
    assert files == ["daemon.json", ".daemon.json.localreg"]
    found = schemas.check("trust", run(capsys, *words, "--json")[0])["clients"][0]
    assert (found["changed"], found["in_force"], f"+++ {docker.file}\n" in found["diff"]) == (False, None, True)
    assert (docker.file.read_text(), docker.reloads) == ("{}", 0)


def test_the_list_says_who_can_use_it_and_why(
    docker: Dockerd, podman: PodmanProgram, capsys: pytest.CaptureFixture[str]
) -> None:
    podman.allows()
    out, err = run(capsys, "trust", "--list")
    assert err == "hint: localreg trust podman\n"
    assert out.splitlines() == [
        "docker\tlocalhost:5000\tyes\tloopback",
        "docker\t127.0.0.1:5000\tyes\tloopback",
        "podman\tlocalhost:5000\tno\trefuses plain HTTP for localhost:5000",
        "podman\t127.0.0.1:5000\tno\trefuses plain HTTP for 127.0.0.1:5000",
    ]
    assert run(capsys, "trust", "docker", "--list")[1] == ""
    run(capsys, "trust", "docker", "--location", LAN)
    found = schemas.check("trust-list", run(capsys, "trust", "docker", "--list", "--location", LAN, "--json")[0])
    row = {"client": "docker", "location": LAN, "uses": True, "because": str(docker.file)}
    assert (found["clients"], found["errors"]) == ([row], [])


def test_one_that_fails_does_not_stop_the_others(
    docker: Dockerd, podman: PodmanProgram, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    podman.allows()
    out, err = run(capsys, "trust", code=7)
    assert "podman still refuses plain HTTP for localhost:5000" in err
    assert out == ""
    found = schemas.check("trust", run(capsys, "trust", "--json", code=7)[0])
    assert [each["client"] for each in found["clients"]] == ["docker"]
    assert [(each["source"], each["code"]) for each in found["errors"]] == [("podman", "config")]
    assert (tmp_path / ".config/containers/registries.conf.d").exists()
    assert docker.reloads == 0


def test_an_engine_that_does_not_run_is_skipped_unless_it_is_named(
    docker: Dockerd, podman: PodmanProgram, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    podman.allows(*LOCAL)

    def silent() -> Dockerd:
        raise EngineUnavailableError("Docker did not answer")

    machine = Machine({**os.environ}, docker.root, silent)
    monkeypatch.setattr(command, "_machine", lambda _session: machine)
    assert "skipped docker: Docker did not answer" in run(capsys, "trust")[1]

    def forbidden() -> Dockerd:
        probe = Unavailable("docker", "/var/run/docker.sock", "permission denied")
        raise EngineUnavailableError("Docker did not answer", probes=[probe])

    forbidding = Machine({**os.environ}, docker.root, forbidden)
    monkeypatch.setattr(command, "_machine", lambda _session: forbidding)
    assert "skipped docker: /var/run/docker.sock: permission denied" in run(capsys, "trust")[1]
    monkeypatch.setattr(command, "_machine", lambda _session: machine)
    assert "Docker did not answer" in run(capsys, "trust", "docker", code=3)[1]


def test_a_ca_comes_with_its_address(docker: Dockerd, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "ca.pem"
    file.write_text(CA)
    docker.reached[LAN] = CA
    out, _ = run(capsys, "trust", "docker", "--location", LAN, "--ca", str(file))
    assert out == f"wrote {docker.folder}/certs.d/{LAN}/localreg-docker.crt\n"
    assert "hint: localreg trust --location HOST:PORT" in run(capsys, "trust", "--ca", str(file), code=2)[1]
    file.write_text("nothing")
    assert "has no certificate" in run(capsys, "trust", "--location", LAN, "--ca", str(file), code=7)[1]
    assert "cannot read" in run(capsys, "trust", "--location", LAN, "--ca", str(tmp_path), code=7)[1]


def test_a_key_beside_the_certificate_is_in_no_file_and_no_output(
    docker: Dockerd, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, others = tmp_path / "server.pem", CA.replace("MIIB", "MIIC")
    file.write_text(f"-----BEGIN PRIVATE KEY-----\nSECRET\n-----END PRIVATE KEY-----\n{CA}subject=x\n{others}")
    docker.reached[LAN] = f"{CA}{others}"
    words = ("trust", "docker", "--location", LAN, "--ca", str(file))
    said = "".join((*run(capsys, *words, "--dry-run"), *run(capsys, *words, "--json")))
    written = (docker.folder / f"certs.d/{LAN}/localreg-docker.crt").read_text()
    assert written.endswith(f"\n{CA}{others}")
    assert "SECRET" not in f"{said}{written}"


def test_a_file_of_root_is_roots_to_write(
    docker: Dockerd, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_args: object, **_more: object) -> int:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr("localreg.clients.file_change._replace", refuse)
        patch.setattr(Path, "home", lambda: Path("/home/ada"))
        _, err = run(capsys, "--name", "lan", "trust", "docker", "--location", LAN, "--json", code=7)
    error = schemas.check("stderr", err)["error"]
    assert error["hint"] == f'sudo "$(command -v localreg)" --name lan trust docker --location {LAN}'
    assert docker.file.read_text() == "{}"


@pytest.mark.parametrize(
    ("bound", "near", "is_here"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("192.0.2.1", "192.0.2.1", True),
        ("127.0.0.1", None, False),
        ("::1", None, False),
        ("0.0.0.0", "build-1", False),
    ],
)
def test_only_docker_itself_is_told_of_localhost_of_another_machine(
    docker: Dockerd, podman: PodmanProgram, up: FakeEngine, bound: str, near: str | None, *, is_here: bool
) -> None:
    container = up.find_container("registry")
    assert container is not None
    address = Address(bound, container.ports[0].bound.port)
    published = PublishedPort(5000, address, from_host=replace(address, host=near) if near else None)
    up.change("registry", ports=(published,))
    place = location_at(address)
    docker.reached = dict.fromkeys([place, place.replace("localhost", "127.0.0.1")])
    podman.allows(*docker.reached)
    assert main(["trust", "docker", "--dry-run"]) == 0
    assert (main(["trust", "podman", "--dry-run"]) == 0) is is_here
    # A port of this machine may lead there.
    assert main(["trust", "podman", "--location", "localhost:5000", "--dry-run"]) == 0


def test_clients_that_do_not_reach_another_machine_are_named(
    docker: Dockerd, podman: PodmanProgram, up: FakeEngine, location: str, capsys: pytest.CaptureFixture[str]
) -> None:
    podman.allows()
    container = up.find_container("registry")
    assert container is not None
    up.change("registry", ports=(replace(container.ports[0], from_host=None),))
    docker.reached = dict.fromkeys([location, location.replace("localhost", "127.0.0.1")])
    found = json.loads(run(capsys, "trust", "--json")[0])["clients"]
    assert [each["client"] for each in found] == ["docker"]
    err = run(capsys, "trust")[1]
    assert f"skipped: podman of this machine cannot reach the registry, which is {location} of another machine" in err
    said = run(capsys, "trust", "podman", code=5)[1]
    assert "localreg trust --location HOST:PORT\n" in said
    assert run(capsys, "untrust")[1] == ""


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["trust", "dokcer"], "localreg trust docker"),
        (["untrust", "nosuch"], "nosuch"),
        (["trust", "--location", "nowhere"], "`nowhere`"),
        (["trust", "--system"], "--tls"),
        (["untrust", "--ca", "ca.crt"], "localreg untrust --system --ca ca.crt"),
    ],
)
def test_what_cannot_be_is_refused(
    docker: Dockerd, arguments: list[str], word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert word in run(capsys, *arguments, code=2)[1]
    assert docker.reloads == 0


def test_a_machine_without_clients_says_so(
    engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert engine.list_containers() == []
    monkeypatch.setattr(command, "_machine", lambda _session: Machine({"PATH": str(tmp_path)}, tmp_path))
    _, err = run(capsys, "trust", "--json", code=3)
    assert json.loads(err)["error"]["code"] == "engine-unavailable"


def test_the_store_of_the_system_is_listed_and_takes_back_the_ca_that_is_named(
    docker: Dockerd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, bundle = tmp_path / "usr/local/share/ca-certificates", tmp_path / "etc/ssl/certs/ca-certificates.crt"
    program, ca = tmp_path / "bin/update-ca-certificates", tmp_path / "ca.crt"
    for file in (folder / "x", bundle, program):
        file.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\ncat {folder}/*.crt >{bundle} 2>&-\ntrue\n")
    program.chmod(0o755)
    ca.write_text(CA)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    named = ("trust", "--system", "--location", LAN, "--ca", str(ca))
    assert run(capsys, *named, "--list")[0].startswith(f"system\t{LAN}\tno\t")
    verb, path = run(capsys, *named)[0].split()
    assert (verb, Path(path).read_text()) == ("wrote", CA)
    assert run(capsys, *named, "--list") == (f"system\t{LAN}\tyes\t{path}\n", "")
    ca.write_text(CA.replace("MIIB", "MIIC"))
    assert "another user may need" in run(capsys, "untrust", "--system", "--ca", str(ca))[1]
    assert run(capsys, "untrust", "--system", "--ca", path) == (f"removed {path}\n", "")
    assert docker.reloads == 0
