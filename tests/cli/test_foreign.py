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
ALPINE = "docker.io/library/alpine:3.20"
NO_REGISTRY = f"container `registry` does not seem to be a registry: it runs {ALPINE}"
OTHER = "localreg --name OTHER up"

Start = Callable[..., None]


@pytest.fixture
def create(engine: FakeEngine, location: str) -> Callable[..., str]:
    """Create a container named `registry` by hand; returns its ID."""

    def created(image: str = IMAGE, **environment: str) -> str:
        engine.add_image(image)
        address = Address("127.0.0.1", int(location.rpartition(":")[2]))
        spec = ContainerSpec("registry", image, 5000, address, AnonymousMount("/data"), environment=environment)
        return engine.create_container(spec).id

    return created


@pytest.fixture
def start(engine: FakeEngine, create: Callable[..., str]) -> Start:
    """Create it and start it."""

    def started(image: str = IMAGE, **environment: str) -> None:
        engine.start_container(create(image, **environment))

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


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a terminal shows as the result, however the command ends."""
    capsys.readouterr()
    main([*arguments, "--format", "table"])
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("body", "environment", "error", "hint"),
    [
        (READ_ONLY, {}, "registry `registry` deletes nothing: it is read-only", OTHER),
        (
            CACHE,
            {"REGISTRY_PROXY_REMOTEURL": "https://up.example"},
            "registry `registry` deletes nothing: it is a cache of up.example",
            OTHER,
        ),
        (None, {}, "deleting is disabled in the registry", "start it with -e REGISTRY_STORAGE_DELETE_ENABLED=true"),
    ],
)
def test_rm_names_why_nothing_is_deleted(
    *,
    registry: FakeRegistry,
    start: Start,
    capsys: pytest.CaptureFixture[str],
    body: bytes | None,
    environment: dict[str, str],
    error: str,
    hint: str,
) -> None:
    start(**environment)
    registry.refuses_pushes = body
    registry.put_image("app:2")
    registry.put_image("app:3", layers=[b"3"])
    # Also in a dry run, and in place of the question.
    for arguments in (["app:1"], ["app:1", "--dry-run"], ["app:*", "--dry-run"], ["app:*"], ["-r", "app"]):
        found = refused(capsys, "rm", *arguments)
        assert (found["code"], found["message"]) == ("delete-disabled", error)
        assert found["hint"].startswith(hint)


def test_what_the_engine_alone_has_can_go_from_a_registry_that_deletes_nothing(
    engine: FakeEngine, start: Start, location: str, capsys: pytest.CaptureFixture[str]
) -> None:
    start()
    engine.add_image(f"{location}/other:1")
    for name, option in (("other:1", "--dry-run"), (f"other:1@sha256:{'a' * 64}", "--dry-run"), ("other:1", "--yes")):
        assert main(["rm", name, option, "--json"]) == 0
        found = schemas.check("rm", capsys.readouterr().out)
        assert [result["removed_from"] for result in found["results"]] == [[engine.info().name]]


@pytest.mark.parametrize(
    ("environment", "needs_login", "rows"),
    [
        ({}, False, ["next     localreg push IMAGE"]),
        ({}, True, ["login    required; ", "next     localreg login"]),
        (
            {"REGISTRY_STORAGE_MAINTENANCE_READONLY": "{enabled: true}"},
            False,
            ["pushes   refused: it is read-only", f"next     {OTHER}"],
        ),
        (
            {"REGISTRY_PROXY_REMOTEURL": "https://up.example"},
            False,
            ["pushes   refused: it is a cache of up.example", f"next     {OTHER}"],
        ),
    ],
)
def test_up_names_its_limits(
    *,
    registry: FakeRegistry,
    start: Start,
    location: str,
    capsys: pytest.CaptureFixture[str],
    environment: dict[str, str],
    needs_login: bool,
    rows: list[str],
) -> None:
    start(**environment)
    registry.needs_login = needs_login
    found = shown(capsys, "up")
    assert all(row.format(location=location) in found for row in rows)
    assert found.count("next ") == 1


@pytest.mark.parametrize("command", ["push app:1", "pull app:1", "ls", "rm app:1", "up"])
@pytest.mark.parametrize("is_running", [True, False])
def test_a_container_that_is_something_else(
    *,
    engine: FakeEngine,
    registry: FakeRegistry,
    create: Callable[..., str],
    capsys: pytest.CaptureFixture[str],
    command: str,
    is_running: bool,
) -> None:
    container = create(ALPINE)
    registry.faults["/v2/"] = "gone"
    if is_running:
        engine.start_container(container)
    error = refused(capsys, *command.split(), *(["--wait", "0.1"] if command == "up" else []), code=5)
    is_asked = is_running and command == "up"
    assert error["message"] == ("container `registry` exists and is not a registry" if is_asked else NO_REGISTRY)
    assert error["hint"] == OTHER


def test_a_registry_of_an_image_with_another_name_is_used(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    start("example.com/distribution:1")
    assert main(["pull", "nosuch:1", "-q"]) == 4
    assert "no registry" not in capsys.readouterr().err


def test_status_and_down_of_something_else(create: Callable[..., str], capsys: pytest.CaptureFixture[str]) -> None:
    create(ALPINE)
    found = shown(capsys, "status")
    assert " ".join(found.split()).startswith(f"C{NO_REGISTRY[1:]} engine ")
    assert "storage" not in found
    assert shown(capsys, "down", "--force") == "Container stopped; nothing is left\n"


def test_status_of_one_that_publishes_no_port(
    engine: FakeEngine, location: str, start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    engine.forgets_ports, engine.taken_ports = True, {int(location.rpartition(":")[2])}
    with pytest.raises(PortTakenError):
        start()
    engine.taken_ports.clear()
    engine.start_container("registry")
    found = shown(capsys, "status")
    assert found.startswith("Registry 2.8.3: running, publishes no port")
    assert "reach    no one: no port is published" in found
    assert f"instead  {OTHER}" in found
    assert "logs" not in found


def test_states_have_plain_names(
    engine: FakeEngine, create: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    container = create()
    for state in ("was created, but never started", "is stopped"):
        assert refused(capsys, "up", code=5)["message"] == (f"container `registry` {state}; localreg did not create it")
        error = refused(capsys, "ls")
        assert (error["message"], error["hint"]) == (f"registry `registry` {state}", "docker start registry")
        word = state.partition(" ")[2]
        assert shown(capsys, "status").startswith(f"Registry 2.8.3: {word}\n")
        engine.start_container(container)
        engine.stop_container(container)
