from __future__ import annotations

from pathlib import Path

import pytest
from support.engines.fake import FakeEngine
from support.registries.fake import FakeRegistry

from localreg.cli.app import main
from localreg.engines.discovery import select
from localreg.engines.discovery.select import Selection, Survey
from localreg.engines.values import EngineInfo


@pytest.fixture
def location(registry: FakeRegistry) -> str:
    return registry.base_url.replace("http://127.0.0.1", "localhost")


@pytest.fixture
def engine(registry: FakeRegistry, location: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeEngine:
    # On another machine, whose ports are free: here the stand-in holds the one that is to be published.
    found = FakeEngine(EngineInfo("docker", "28.0.0", "fake:", context="default", remote=True))
    found.add_image("docker.io/library/registry:2.8.3")
    image = found.add_image("app:1")
    found.registries[location] = {}
    registry.answers["/v2/app/manifests/1"] = (b"{}", {"Docker-Content-Digest": image.id})
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
