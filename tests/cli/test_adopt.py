"""Registries that other tools created: `status --all` says which, and every command works on them with `--name`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from support import schemas
from support.engines.fake import FakeEngine
from support.registries.fake import FakeRegistry

from localreg.cli import status as status_command
from localreg.cli.app import main
from localreg.engines.discovery import select
from localreg.engines.discovery.probe import Answer
from localreg.engines.discovery.select import Survey
from localreg.engines.values import AnonymousMount, ContainerSpec, Endpoint
from localreg.registry.container import DATA_FOLDER
from localreg.system.address import Address

IMAGE = "docker.io/library/registry:2"
K3D = {"app": "k3d", "k3d.role": "registry", "k3d.cluster": "", "k3d.version": "v5.9.0"}

Adopt = Callable[[str, Mapping[str, str]], None]


@pytest.fixture
def adopt(engine: FakeEngine, location: str, monkeypatch: pytest.MonkeyPatch) -> Adopt:
    """Create a registry as another tool does, and start it."""
    answer = Answer("docker", Endpoint("unix:///fake"), (), has_volume=False)
    monkeypatch.setattr(select, "survey_engines", lambda *_args, **_kwargs: Survey((answer,), ()))
    monkeypatch.setattr(status_command, "open_engine", lambda _answer: engine)

    def created(name: str, labels: Mapping[str, str]) -> None:
        engine.add_image(IMAGE)
        address = Address("127.0.0.1", int(location.rpartition(":")[2]))
        spec = ContainerSpec(name, IMAGE, 5000, address, AnonymousMount(DATA_FOLDER), labels=labels)
        engine.start_container(engine.create_container(spec).id)

    return created


@pytest.mark.parametrize(
    ("name", "labels", "maker"),
    [
        ("k3d-registry", K3D, "k3d"),
        ("ctlptl-registry", {"dev.tilt.ctlptl.role": "registry"}, "ctlptl"),
        ("kind-registry", {}, "kind"),
        ("my-own", {}, None),
    ],
)
def test_all_registries_are_listed_with_the_tool_that_created_them(
    *,
    adopt: Adopt,
    capsys: pytest.CaptureFixture[str],
    name: str,
    labels: Mapping[str, str],
    maker: str | None,
) -> None:
    adopt(name, labels)
    assert main(["status", "--all", "--json"]) == 0
    (found,) = schemas.check("status-all", capsys.readouterr().out)["registries"]
    assert (found["name"], found["maker"], found["created_by_localreg"]) == (name, maker, False)
    assert main(["status", "--all", "--format", "plain"]) == 0
    assert capsys.readouterr().out.rstrip("\n").endswith(f"\t{IMAGE}\t{maker or 'hand'}")
    assert main(["status", "--all", "--format", "table"]) == 0
    assert f" {maker or 'hand'}" in capsys.readouterr().out.splitlines()[1]
    assert main(["status", name, "--format", "table"]) == 0
    assert f"created by {maker or 'hand'}, not by localreg" in capsys.readouterr().out


def test_commands_work_on_it_with_its_name(
    adopt: Adopt, location: str, registry: FakeRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    adopt("k3d-registry", K3D)
    for command in ("push app:1", "ls", "inspect app:1", "du", "pull app:1", "url", "status", "env", "tag app:1"):
        assert main(["--name", "k3d-registry", *command.split(), "-q"]) == 0, command
    out = capsys.readouterr().out
    assert f"{location}/app:1" in out
    assert registry.requests


def test_what_localreg_did_not_create_it_does_not_remove(
    adopt: Adopt, engine: FakeEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    adopt("k3d-registry", K3D)
    for command in ("down", "down --volumes", "up --recreate", "gc"):
        assert main(["--name", "k3d-registry", *command.split(), "--json"]) == 5, command
        assert schemas.check("stderr", capsys.readouterr().err.splitlines()[-1])["error"]["code"] == "not-ours"
    container = engine.find_container("k3d-registry")
    assert container is not None
    assert container.is_running
    assert engine.list_volumes()
