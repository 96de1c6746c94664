"""Podman behind the port: the drop-in or the CA, the virtual machine, and what the program says."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from localreg.clients.podman.client import Podman
from localreg.clients.port import Machine, Target
from localreg.clients.trust import make_trust
from localreg.errors import ConfigError

PLACE = "localhost:5000"
CA = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
UNKNOWN = "Error: initializing source: reading manifest none in localhost:5000/localreg-trust: manifest unknown"
UNTRUSTED = 'Error: pinging container registry: Get "https://x/v2/": tls: failed to verify certificate: x509: unknown'
REFUSED = "Error: pinging container registry: dial tcp 127.0.0.1:5000: connect: connection refused"


class Program:
    """A stand-in for `podman` that says its release, and has a virtual machine in a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._path = root / "bin/podman"
        self._path.parent.mkdir()
        sudo = self._path.with_name("sudo")
        sudo.write_text('#!/bin/sh\nexec "$@"\n')
        sudo.chmod(0o755)
        self.says(5)

    def says(self, release: int, pulled: str = UNKNOWN) -> None:
        there = self.root / "vm"
        self._path.write_text(
            f'#!/bin/sh\ncase "$1 $2" in\n--version*) echo podman version {release}.1.0;;\n'
            f'"info --format") echo \'{{"registries": {{"{PLACE}": {{"Prefix": "{PLACE}", "Insecure": true}}}}}}\';;\n'
            f'"machine ssh") shift 2; sh -c "$(echo "$*" | sed s,/etc/containers,{there},g)";;\n'
            f"\"pull --quiet\") echo '{pulled}' >&2; exit 125;;\nesac\n"
        )
        self._path.chmod(0o755)


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    made = Program(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    return made


@pytest.fixture
def client(program: Program) -> Podman:
    return Podman(Machine({**os.environ, "HOME": str(program.root / "home")}, program.root))


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_registry_that_gets_tls_loses_its_plain_http(client: Podman, program: Program) -> None:
    make_trust(client, Target("registry", (PLACE,)))
    assert files(program.root / "home") == ["50-localreg.conf"]
    found = make_trust(client, Target("registry", (PLACE,), CA))
    assert found.checked == {PLACE: None}
    assert files(program.root / "home") == ["localreg-podman.crt"]
    make_trust(client, Target("registry", (PLACE,)))
    assert files(program.root / "home") == ["50-localreg.conf"]
    make_trust(client, Target("registry", ()))
    assert files(program.root / "home") == []


@pytest.mark.parametrize(
    ("pulled", "answer"),
    [
        (UNKNOWN, {PLACE: None}),
        ("Error: unauthorized: authentication required", {PLACE: None}),
        (
            UNTRUSTED,
            {PLACE: f"does not trust the certificate of {PLACE} (failed to verify certificate: x509: unknown)"},
        ),
        (
            "Error: http: server gave HTTP response to HTTPS client",
            {PLACE: f"expects TLS from {PLACE}, which speaks plain HTTP"},
        ),
        (REFUSED, None),
        # Another program has the port: it speaks neither TLS nor HTTP.
        ("Error: tls: first record does not look like a TLS handshake", None),
    ],
)
def test_podman_itself_is_asked_about_a_certificate(
    client: Podman, program: Program, pulled: str, answer: dict[str, str | None] | None
) -> None:
    program.says(5, pulled)
    assert client.check([PLACE], ca=CA) == answer


def test_success_is_not_said_while_podman_refuses(client: Podman, program: Program) -> None:
    program.says(5, UNTRUSTED)
    with pytest.raises(ConfigError, match="podman still does not trust the certificate"):
        make_trust(client, Target("registry", (PLACE,), CA))


@pytest.mark.parametrize(("release", "is_written"), [(5, True), (6, False)])
@pytest.mark.parametrize("ca", [None, CA])
def test_a_virtual_machine_before_6_needs_the_files_as_well(
    client: Podman, program: Program, monkeypatch: pytest.MonkeyPatch, ca: str | None, *, release: int, is_written: bool
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    program.says(release)
    there = program.root / "vm"
    there.mkdir()
    make_trust(client, Target("registry", (PLACE,), ca))
    name = "50-localreg-system.conf" if ca is None else "localreg-podman.crt"
    assert files(there) == ([name] if is_written else [])
    make_trust(client, Target("registry", ()))
    assert files(there) == []
    assert not (there / "certs.d" / PLACE).exists()


@pytest.mark.parametrize("ca", [None, CA])
def test_a_virtual_machine_that_does_not_run_is_told_later(
    client: Podman, program: Program, monkeypatch: pytest.MonkeyPatch, ca: str | None
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    there, sudo = program.root / "vm", program.root / "bin/sudo"
    there.mkdir()
    works = sudo.read_text()
    for places in ((PLACE,), ()):
        sudo.write_text("#!/bin/sh\nexit 125\n")
        with pytest.raises(ConfigError, match="in the Podman machine"):
            make_trust(client, Target("registry", places, ca))
        sudo.write_text(works)
        make_trust(client, Target("registry", places, ca))
        assert bool(files(there)) is bool(places)


def test_an_address_that_podman_takes_for_no_name_is_left_out(client: Podman) -> None:
    plan = client.plan(Target("registry", ("[::1]:5000", PLACE)))
    assert "[::1]" not in "".join(change.diff() for change in plan.changes)
    assert client.check(["[::1]:5000", PLACE]) == {PLACE: None}


def test_a_machine_without_the_programs_has_none(tmp_path: Path) -> None:
    assert not Podman(Machine({"PATH": str(tmp_path)}, tmp_path)).is_here()
    (tmp_path / "skopeo").touch(mode=0o755)
    assert Podman(Machine({"PATH": str(tmp_path)}, tmp_path)).is_here()
