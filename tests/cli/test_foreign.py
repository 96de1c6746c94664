"""A registry that localreg did not create, with limits: what each command says of it, and when."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import schemas
from support.engines.fake import FakeEngine
from support.registries.fake import FakeRegistry

from localreg.cli.app import main
from localreg.engines.values import AnonymousMount, ContainerSpec
from localreg.errors import PortTakenError
from localreg.system.address import Address

CACHE = b'{"errors":[{"code":"UNSUPPORTED","message":"The operation is unsupported."}]}\n'
READ_ONLY = b"Method not allowed\n"
IMAGE = "docker.io/library/registry:2.8.3"

Start = Callable[..., None]


@pytest.fixture
def start(engine: FakeEngine, location: str) -> Start:
    """Start a container named `registry` by hand."""

    def started(**environment: str) -> None:
        address = Address("127.0.0.1", int(location.rpartition(":")[2]))
        spec = ContainerSpec("registry", IMAGE, 5000, address, AnonymousMount("/data"), environment=environment)
        engine.start_container(engine.create_container(spec).id)

    return started


def refused(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 6) -> dict[str, Any]:
    """Run localreg, which has to fail; returns the error."""
    assert main([*arguments, "--json"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    (error,) = [line for line in err.splitlines() if '"error"' in line]
    found: dict[str, Any] = schemas.check("stderr", error)["error"]
    return found


def test_one_that_takes_pushes_gets_them(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    start()
    assert main(["push", "app:1", "-q"]) == 0
    assert capsys.readouterr().out.startswith("localhost:")


@pytest.mark.parametrize(("body", "why"), [(CACHE, "cache"), (READ_ONLY, "read-only")])
def test_nothing_is_sent_or_built_for_one_that_takes_none(
    *,
    engine: FakeEngine,
    registry: FakeRegistry,
    start: Start,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    body: bytes,
    why: str,
) -> None:
    start()
    registry.refuses_pushes = body
    (tmp_path / "Dockerfile").touch()
    program = tmp_path / "docker"
    # It must not be run but for its version.
    said = "#!/bin/sh\necho Docker version 28.0.0\n"
    program.write_text(f'{said}[ "$1" = --version ] || [ "$2" = version ] || touch "$0.built"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    images = engine.list_images()
    for command in (["push", "app:1"], ["build", str(tmp_path), "-t", "app:1"]):
        error = refused(capsys, *command)
        assert why in error["message"]
        assert error["hint"] == "localreg --name OTHER up"
    assert engine.list_images() == images
    assert not Path(f"{program}.built").exists()
    assert main(["pull", "nosuch:1", "-q"]) == 4


@pytest.mark.parametrize("command", ["push app:1", "pull app:1", "ls", "rm app:1", "up"])
def test_one_that_speaks_tls(
    engine: FakeEngine, registry: FakeRegistry, start: Start, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    start()
    registry.faults["/v2/"] = "tls"
    images = engine.list_images()
    error = refused(capsys, *command.split())
    assert error["code"] == "registry-unreachable"
    assert "TLS" in error["message"]
    assert error["hint"] == "localreg --name OTHER up"
    assert engine.list_images() == images


@pytest.mark.parametrize("command", ["push app:1", "pull app:1", "ls", "rm app:1", "up"])
def test_one_that_publishes_no_port(
    engine: FakeEngine, location: str, start: Start, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    engine.forgets_ports, engine.taken_ports = True, {int(location.rpartition(":")[2])}
    with pytest.raises(PortTakenError):
        start()
    engine.taken_ports.clear()
    engine.start_container("registry")
    error = refused(capsys, *command.split(), code=5)
    assert "no port" in error["message"]
    assert error["hint"] == "localreg --name OTHER up"


def test_one_that_requires_a_login_of_the_engine(
    registry: FakeRegistry, start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    start()
    registry.needs_login = True
    assert main(["push", "app:1", "--json"]) == 0
    assert schemas.check("push", capsys.readouterr().out)["results"][0]["digest"]
    assert main(["pull", "app:1", "-q"]) == 0
    capsys.readouterr()
    assert "login" in refused(capsys, "ls")["message"]


@pytest.mark.parametrize(
    ("fault", "environment", "expected"),
    [
        ("", {}, (0, "healthy", False, None)),
        ("tls", {}, (6, "speaks TLS", False, None)),
        ("login", {}, (0, "healthy", True, None)),
        ("", {"REGISTRY_PROXY_REMOTEURL": "https://up.example"}, (0, "healthy", False, "cache")),
        ("", {"REGISTRY_STORAGE_MAINTENANCE_READONLY": "{enabled: true}"}, (0, "healthy", False, "read-only")),
    ],
)
def test_status_names_it(
    *,
    registry: FakeRegistry,
    start: Start,
    capsys: pytest.CaptureFixture[str],
    fault: str,
    environment: dict[str, str],
    expected: tuple[int, str, bool, str | None],
) -> None:
    start(**environment)
    registry.needs_login = fault == "login"
    if fault == "tls":
        registry.faults["/v2/"] = "tls"
    code = main(["status", "--json"])
    found = schemas.check("status", capsys.readouterr().out)
    assert (code, found["health"], found["requires_login"], found["pushes_refused"]) == expected
    assert not any("manifests" in path for path in registry.requests)
    main(["status", "--format", "table"])
    shown = capsys.readouterr().out
    words = {"speaks TLS": "speaks TLS", "cache": "cache of up.example", "read-only": "read-only"}
    assert all(words[word] in shown for word in expected if word in words)
    assert ("login" in shown) == (fault == "login")
