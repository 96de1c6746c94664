"""A reference that names another registry is never turned into this one's: with engines and a registry in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from support import schemas
from support.engines.fake import FakeEngine
from support.registries.fake import FakeRegistry

from localreg.cli.app import main
from localreg.engines.discovery import select
from localreg.engines.discovery.probe import Answer
from localreg.engines.discovery.select import Selection, Survey
from localreg.engines.values import Endpoint, EngineInfo, EngineName
from localreg.system.address import Address

Beside = Callable[[EngineName], None]


@pytest.fixture
def beside(up: FakeEngine, location: str, registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch) -> Beside:
    """Starts registry `other` at port 5077 on one of two engines; ours is on Docker, with an image in both."""
    registry.put_image("mine:1")
    registry.put_image("app:1")
    up.tag_image("app:1", f"{location}/mine:1")

    def start(engine_name: EngineName) -> None:
        elsewhere = FakeEngine(EngineInfo(engine_name, "1.0.0", "fake:"))
        elsewhere.add_image("registry:2.8.3")
        spec = replace(up.spec_of("registry"), name="other", image="registry:2.8.3", publish=Address("127.0.0.1", 5077))
        elsewhere.create_container(spec)
        answers = tuple(
            Answer(name, Endpoint(f"unix:///{name}"), (), has_volume=False) for name in ("docker", "podman")
        )
        selection = Selection(up, Survey(answers, ()), holds_registry=True)
        monkeypatch.setattr(select, "select_engine", lambda *_args, **_kwargs: selection)
        monkeypatch.setattr(select, "open_engine", lambda answer: elsewhere if answer.engine == engine_name else up)

    return start


COMMANDS = [
    ("rm mine:1 {host}/app:1", "rm app:1", "ls app"),
    ("rm --dry-run --keep-local {host}/app:1", "rm --keep-local --dry-run app:1", "ls app"),
    ("pull mine:1 {host}/app:1", "pull app:1", None),
    ("pull {host}/app:1 --as here:1", "pull app:1 --as here:1", None),
    ("ls mine {host}/app:1", "ls app:1", None),
    ("ls {host}/te*/app", "ls 'te*/app'", None),
    ("push app:1 --as {host}/x/app", "push app:1 --as x/app", None),
    ("tag app:1 {host}/x/app", "tag app:1 x/app", None),
    ("save {host}/app:1 -o {folder}/x.tar", "save -o {folder}/x.tar app:1", None),
    (
        "save --zstd --split 4G {host}/app:1 -o {folder}/x.tar",
        "save -o {folder}/x.tar --split 4G --zstd app:1",
        None,
    ),
    ("build {folder} -t mine -t {host}/x/app", "build {folder} -t mine -t x/app", None),
]
BY_A_LOCAL_NAME = [
    ("push mine:1 {host}/app:1", "push {host}/app:1 --as app:1", None),
    ("tag {host}/app:1", "tag {host}/app:1 app:1", None),
]


@pytest.mark.parametrize(("command", "meant", "instead"), [*COMMANDS, *BY_A_LOCAL_NAME])
@pytest.mark.parametrize(
    ("host", "engine_name"), [("localhost:5077", "docker"), ("127.0.0.1:5077", "podman"), ("localhost:5078", "docker")]
)
def test_it_is_refused_with_the_command_that_is_meant(
    *,
    up: FakeEngine,
    beside: Beside,
    location: str,
    registry: FakeRegistry,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    host: str,
    engine_name: EngineName,
    command: str,
    meant: str,
    instead: str | None,
) -> None:
    beside(engine_name)
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    images = up.list_images()
    registry.requests.clear()
    code = 2 if host == "localhost:5078" else 5
    assert main([*command.format(host=host, folder=tmp_path).split(), "--json"]) == code
    out, err = capsys.readouterr()
    error = schemas.check("stderr", err)["error"]
    assert (out, error["code"]) == ("", "other-registry" if code == 5 else "usage")
    assert (f"`{host}/" in error["message"], "`other`" in error["message"]) == (True, code == 5)
    there = "--name other " if engine_name == "docker" else "--engine podman --name other "
    expected = f"localreg {there}{meant}" if code == 5 else f"localreg {instead or meant}"
    assert error["hint"] == expected.format(host=host, folder=tmp_path)
    assert [path for path in registry.requests if "manifests" in path] == []
    assert up.list_images() == images
    assert up.find_image(f"{location}/mine:1") is not None


@pytest.mark.parametrize(("command", "meant", "instead"), COMMANDS)
def test_a_registry_elsewhere_is_refused(
    *,
    up: FakeEngine,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    command: str,
    meant: str,
    instead: str | None,
) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    images = up.list_images()
    assert main([*command.format(host="ghcr.io", folder=tmp_path).split(), "--json"]) == 2
    error = schemas.check("stderr", capsys.readouterr().err)["error"]
    assert (error["code"], error["hint"]) == ("usage", f"localreg {instead or meant}".format(folder=tmp_path))
    assert up.list_images() == images


def test_an_image_from_elsewhere_keeps_the_rest_of_its_name(
    up: FakeEngine, location: str, capsys: pytest.CaptureFixture[str]
) -> None:
    up.tag_image("app:1", "ghcr.io/team/app:1")
    assert main(["tag", "ghcr.io/team/app:1", "-q"]) == 0
    assert capsys.readouterr().out == f"{location}/team/app:1\n"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:{port}", "localhost:{port}"])
def test_a_name_of_this_registry_and_podmans_short_name_are_no_others(
    up: FakeEngine, location: str, registry: FakeRegistry, capsys: pytest.CaptureFixture[str], host: str
) -> None:
    assert up.find_container("registry") is not None
    registry.put_image("app:1")
    named = host.format(port=location.rpartition(":")[2])
    assert main(["ls", f"{named}/app:1", "-q"]) == 0
    assert capsys.readouterr().out == f"{location}/app:1\n"
