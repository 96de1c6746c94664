from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.engines.fake import FakeEngine
from support.registries.fake import FakeRegistry
from support.registries.tree import Tree

from localreg.doctor.check import Outcome
from localreg.doctor.checks import choose_checks
from localreg.doctor.finding import Finding
from localreg.doctor.run import make
from localreg.doctor.scene import Scene
from localreg.engines.values import ContainerSpec, EngineInfo, VolumeMount
from localreg.registry.configuration import environment_of
from localreg.registry.container import DATA_FOLDER, labels_of
from localreg.registry.options import RegistryOptions
from localreg.system.address import Address


@pytest.fixture
def port(registry: FakeRegistry) -> int:
    return int(registry.base_url.rpartition(":")[2])


@pytest.fixture
def location(port: int) -> str:
    return f"localhost:{port}"


@pytest.fixture
def tree(tmp_path: Path, registry: FakeRegistry) -> Tree:
    """The registry's volume."""
    tree = Tree(tmp_path / "volume")
    registry.stores_in = tree.root / "repositories"
    return tree


@pytest.fixture
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of this machine or its user matters."""
    for variable in ("HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "DOCKER_CONFIG"):
        monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.setattr("localreg.doctor.reach.own_addresses", list)


@pytest.fixture
def engine(_alone: None, tree: Tree, port: int, location: str) -> FakeEngine:
    """An engine with a registry as `up` makes it."""
    engine = FakeEngine(EngineInfo("docker", "28.5.2", "fake:", restarts_containers=True))
    engine.add_image("registry:2.8.3")
    engine.registries[location] = {}
    engine.files[DATA_FOLDER] = tree.folder
    start(engine, port)
    return engine


def start(
    engine: FakeEngine,
    port: int,
    *,
    environment: dict[str, str] | None = None,
    ours: bool = True,
    host: str = "127.0.0.1",
) -> None:
    """Start the registry."""
    options = RegistryOptions(port=port, host=host)
    spec = ContainerSpec(
        "registry",
        "registry:2.8.3",
        5000,
        Address("127.0.0.1", port),
        VolumeMount("localreg-registry", DATA_FOLDER),
        labels=labels_of("registry", asked=RegistryOptions(), options=options) if ours else {},
        environment=environment_of(options, None) if environment is None else environment,
        restart=True,
    )
    engine.start_container(engine.create_container(spec).id)


@pytest.fixture
def scene(engine: FakeEngine) -> Iterator[Scene]:
    found = Scene("registry", engine=engine)
    yield found
    found.close()


@pytest.fixture
def outcome(scene: Scene) -> Callable[[str], Outcome]:
    """Make one check."""
    return lambda name: make(choose_checks([name])[0], scene)


@pytest.fixture
def findings(outcome: Callable[[str], Outcome]) -> Callable[[str], tuple[Finding, ...]]:
    """What one check finds; it has to be possible."""

    def found(name: str) -> tuple[Finding, ...]:
        made = outcome(name)
        assert made.not_possible is None, made.not_possible
        return made.findings

    return found
