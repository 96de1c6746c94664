from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest
from support.engines.fake import FakeEngine
from support.registries.fake import FakeRegistry

from localreg.cli import down
from localreg.cli.app import main
from localreg.clients.podman.registries_conf import find_left_entry
from localreg.clients.port import Machine
from localreg.engines.discovery import select
from localreg.engines.discovery.select import Selection, Survey
from localreg.engines.values import EngineInfo


class PodmanProgram:
    """A stand-in for the `podman` program, first on PATH."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "podman"

    def says(self, lines: str) -> None:
        """Run these lines of a shell, whatever it is asked."""
        self._path.write_text(f"#!/bin/sh\n{lines}\n")
        self._path.chmod(0o755)

    def allows(self, *locations: str) -> None:
        """Say that it uses plain HTTP for these registries."""
        registries = {place: {"Prefix": place, "Insecure": True, "Blocked": False} for place in locations}
        self.says(f"cat <<END\n{json.dumps({'registries': registries})}\nEND")


@pytest.fixture(autouse=True)
def _own_etc(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What other programs write to `/etc` meanwhile does not matter."""
    monkeypatch.setattr(down, "find_left_entry", partial(find_left_entry, etc=tmp_path / "etc"))
    monkeypatch.setattr(down, "Machine", partial(Machine, root=tmp_path))


@pytest.fixture
def podman(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PodmanProgram:
    """It is not there until it is told what to say."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/bin")
    return PodmanProgram(folder)


@pytest.fixture
def location(registry: FakeRegistry) -> str:
    return registry.base_url.replace("http://127.0.0.1", "localhost")


@pytest.fixture
def engine(registry: FakeRegistry, location: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeEngine:
    # On another machine, whose ports are free: here the stand-in holds the one that is to be published.
    found = FakeEngine(EngineInfo("docker", "28.0.0", "fake:", context="default", remote=True))
    found.add_image("docker.io/library/registry:2.8.3")
    digest = registry.put_image()
    media_type, manifest = registry.manifests[digest]
    found.add_image("app:1", image_id=digest)
    found.registries[location] = {}
    registry.answers["/v2/app/manifests/1"] = (
        manifest,
        {"Content-Type": media_type, "Docker-Content-Digest": digest},
    )
    monkeypatch.setattr(
        select, "select_engine", lambda *_args, **_kwargs: Selection(found, Survey((), ()), holds_registry=True)
    )
    monkeypatch.setenv("HOME", str(tmp_path))
    return found


@pytest.fixture
def up(engine: FakeEngine, location: str, capsys: pytest.CaptureFixture[str]) -> FakeEngine:
    assert main(["up", "--port", location.rpartition(":")[2], "-q"]) == 0
    capsys.readouterr()
    return engine
