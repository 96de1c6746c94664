"""What `up` and `down` do when things go wrong, on an engine in memory with a registry that answers."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from support.engines.fake import FakeEngine
from support.registries.fake import FakeRegistry

from localreg.engines.values import EngineInfo, VolumeMount
from localreg.errors import (
    ContainerNotFoundError,
    EngineError,
    OptionsDifferError,
    PortTakenError,
    RegistryNotReadyError,
)
from localreg.registry.container import find_registry, replaced_name
from localreg.registry.down import bring_down
from localreg.registry.options import PullPolicy, RegistryOptions
from localreg.registry.port import PortClaims
from localreg.registry.request import UpRequest
from localreg.registry.status import Health, get_status
from localreg.registry.up import UpAction, UpResult, bring_up

IMAGE = "docker.io/library/registry:2.8.3"
BROKEN = "localhost/broken:1"
OTHER = VolumeMount("other", "/data")


@pytest.fixture
def port(registry: FakeRegistry) -> int:
    return int(registry.base_url.rpartition(":")[2])


@pytest.fixture
def engine() -> FakeEngine:
    # The ports are those of another machine, so that the one which the stand-in listens on counts as free.
    found = FakeEngine(EngineInfo("docker", "0.0.0", "fake:"))
    found.add_image(IMAGE)
    found.add_image(BROKEN)
    found.exits[BROKEN] = 3
    return found


def up(
    engine: FakeEngine,
    *,
    recreate: bool = False,
    archive: Path | None = None,
    notes: list[str] | None = None,
    **asked: object,
) -> UpResult:
    request = UpRequest(
        "registry",
        RegistryOptions(**asked),  # type: ignore[arg-type]  # each test gives what fits
        archive=archive,
        pull=PullPolicy.NEVER,
        wait_seconds=0.2,
        recreate=recreate,
        claims=PortClaims(remote=True),
    )
    return bring_up(engine, request, notify=([] if notes is None else notes).append, on_progress=lambda _: None)


def container(engine: FakeEngine, name: str = "registry") -> tuple[str, int | None, str, bool] | None:
    """The ID, port, volume and whether it runs."""
    found = find_registry(engine, name)
    if found is None:
        return None
    return found.container.id, found.options.port, str(found.options.volume), found.container.is_running


def test_a_replacement_keeps_what_was_not_asked_for_anew(engine: FakeEngine, port: int) -> None:
    up(engine, port=port, volume="mine")
    assert up(engine, recreate=True, host="127.0.0.1").action is UpAction.RECREATED
    now = container(engine)
    assert now is not None
    assert now[1:] == (port, "mine", True)
    assert len(engine.list_containers()) == 1


def test_a_replacement_joins_the_networks_of_the_old_container(engine: FakeEngine, port: int) -> None:
    created = up(engine, port=port).registry.container
    engine.networks |= {"kind", "web"}
    for network in ("kind", "web"):
        engine.connect_network(created.id, network)
    engine.networks.remove("web")
    notes: list[str] = []
    now = up(engine, recreate=True, notes=notes).registry.container
    assert now.id != created.id
    assert now.networks == ("bridge", "kind")
    (said,) = (note for note in notes if "network" in note)
    assert "`web`" in said


def test_a_killed_replacement_joins_the_networks_later(engine: FakeEngine, port: int) -> None:
    old = up(engine, port=port).registry.container
    engine.networks.add("kind")
    engine.connect_network(old.id, "kind")
    engine.stop_container(old.id)
    engine.rename_container(old.id, "registry.replaced")
    engine.networks.remove("kind")
    up(engine, port=port)
    engine.networks.add("kind")
    assert up(engine).registry.container.networks == ("bridge", "kind")


def secret(engine: FakeEngine) -> str | None:
    found = engine.find_container("registry")
    assert found is not None
    return found.environment.get("REGISTRY_HTTP_SECRET")


def test_a_registry_keeps_its_secret_as_long_as_it_exists(engine: FakeEngine, port: int) -> None:
    created = up(engine, port=port).registry.container
    first = secret(engine)
    assert first is not None
    assert re.fullmatch("[0-9a-f]{64}", first)
    engine.stop_container(created.id)
    assert up(engine).action is UpAction.STARTED
    assert up(engine, recreate=True).action is UpAction.RECREATED
    assert secret(engine) == first
    bring_down(engine, "registry", volumes=False, force=False)
    up(engine, port=port)
    assert secret(engine) not in (None, first)


def test_a_throw_away_registry_keeps_its_secret_when_it_is_replaced(engine: FakeEngine, port: int) -> None:
    up(engine, port=port, ephemeral=True)
    first = secret(engine)
    assert first is not None
    up(engine, recreate=True)
    assert secret(engine) == first


def test_the_secret_is_in_the_environment_alone(engine: FakeEngine, port: int) -> None:
    result = up(engine, port=port)
    made = str(secret(engine))
    spec = engine.spec_of("registry")
    assert spec.environment["REGISTRY_HTTP_SECRET"] == made
    assert made not in "".join(spec.labels.values())
    assert made not in f"{spec!r}{result!r}"


def test_a_registry_that_was_created_without_these_settings_gets_them_with_a_new_container(
    engine: FakeEngine, port: int
) -> None:
    old = up(engine, port=port).registry.container
    spec = engine.spec_of(old.id)
    engine.remove_container(old.id)
    engine.create_container(replace(spec, environment={}))
    assert up(engine).action is UpAction.STARTED
    assert secret(engine) is None
    up(engine, recreate=True)
    assert len(str(secret(engine))) == 64
    assert engine.spec_of("registry").environment["REGISTRY_STORAGE_CACHE_BLOBDESCRIPTOR"] == "none"


def test_a_replacement_that_does_not_start_leaves_the_old_one_running(
    engine: FakeEngine, registry: FakeRegistry, port: int
) -> None:
    up(engine, port=port, volume="mine")
    before = container(engine)
    registry.faults["/v2/"] = "500"
    with pytest.raises(RegistryNotReadyError):
        up(engine, recreate=True, image=BROKEN)
    assert container(engine) == before
    engine.taken_ports.add(port + 1)
    with pytest.raises(PortTakenError, match=rf"\b{port + 1}\b"):
        up(engine, recreate=True, port=port + 1)
    assert container(engine) == before
    assert len(engine.list_containers()) == 1


def test_one_that_is_removed_at_the_same_time_is_created_anew(engine: FakeEngine, port: int) -> None:
    up(engine, port=port)
    (before,) = engine.list_containers()
    engine.stop_container(before.id)

    class Removing(FakeEngine):
        """Another process removes the container just before it is started."""

        def start_container(self, container_id: str) -> None:
            if container_id == before.id:
                engine.remove_container(before.id)
                raise ContainerNotFoundError("it is marked for removal")
            engine.start_container(container_id)

    beside = Removing(engine.info())
    vars(beside).update({name: value for name, value in vars(engine).items() if name != "start_container"})
    assert up(beside, port=port).action is UpAction.CREATED
    (now,) = engine.list_containers()
    assert now.id != before.id


@pytest.mark.parametrize("started_by", ["up", "the engine"])
def test_a_container_that_runs_without_its_port_is_replaced(engine: FakeEngine, port: int, started_by: str) -> None:
    up(engine, port=port, volume="mine")
    before = secret(engine)
    (found,) = engine.list_containers()
    engine.stop_container(found.id)
    engine.forgets_ports = True
    engine.taken_ports.add(port)
    with pytest.raises(PortTakenError):
        up(engine)
    engine.taken_ports.clear()
    if started_by == "the engine":
        engine.start_container(found.id)
        assert get_status(engine, "registry").health is Health.NOT_ANSWERING
    result = up(engine)
    assert (result.action, result.registry.published is not None) == (UpAction.RECREATED, True)
    now = container(engine)
    assert now is not None
    assert (now[1:], secret(engine)) == ((port, "mine", True), before)
    assert up(engine).action is UpAction.ALREADY
    assert len(engine.list_containers()) == 1


def test_a_replacement_that_does_not_start_leaves_a_stopped_one_stopped(
    engine: FakeEngine, registry: FakeRegistry, port: int
) -> None:
    created = up(engine, port=port).registry.container
    engine.stop_container(created.id)
    registry.faults["/v2/"] = "500"
    with pytest.raises(RegistryNotReadyError):
        up(engine, recreate=True, image=BROKEN)
    assert container(engine) == (created.id, port, "localreg-registry", False)


@pytest.mark.parametrize("recreate", [True, False])
def test_a_replacement_that_was_killed_is_undone_first(engine: FakeEngine, port: int, *, recreate: bool) -> None:
    created = up(engine, port=port, volume="mine").registry.container
    engine.rename_container(created.id, replaced_name("registry"))
    engine.stop_container(created.id)
    up(engine, recreate=recreate)
    now = container(engine)
    assert now is not None
    assert now[1:] == (port, "mine", True)
    assert len(engine.list_containers()) == 1


def test_what_a_killed_replacement_left_beside_the_new_one_goes(engine: FakeEngine, port: int) -> None:
    old = up(engine, port=port).registry.container
    engine.stop_container(old.id)
    engine.rename_container(old.id, replaced_name("registry"))
    new = engine.create_container(engine.spec_of(old.id))
    engine.start_container(new.id)
    assert up(engine).action is UpAction.ALREADY
    assert [found.id for found in engine.list_containers()] == [new.id]


def test_a_foreign_container_of_that_other_name_is_left_alone(engine: FakeEngine, port: int) -> None:
    up(engine, port=port)
    ours = engine.spec_of(engine.list_containers()[0].id)
    foreign = engine.create_container(replace(ours, name=replaced_name("registry"), labels={}, mount=OTHER))
    bring_down(engine, "registry", volumes=True, force=True)
    assert [found.id for found in engine.list_containers()] == [foreign.id]


def test_going_down_takes_what_a_killed_replacement_left(engine: FakeEngine, port: int) -> None:
    created = up(engine, port=port).registry.container
    engine.rename_container(created.id, replaced_name("registry"))
    assert bring_down(engine, "registry", volumes=True, force=False).container == "registry"
    assert engine.list_containers() == []


def test_one_that_somebody_else_removes_at_the_same_time_is_down(engine: FakeEngine, port: int) -> None:
    up(engine, port=port)
    stop = engine.stop_container

    def overtaken(container_id: str, *, grace_seconds: int = 10) -> None:
        engine.remove_container(container_id)
        stop(container_id, grace_seconds=grace_seconds)

    engine.stop_container = overtaken  # type: ignore[method-assign]  # another process, in the worst moment
    assert bring_down(engine, "registry", volumes=False, force=False).kept == ("localreg-registry",)


def test_other_options_are_refused_with_the_command_that_takes_them(engine: FakeEngine, port: int) -> None:
    up(engine, port=port, image=IMAGE)
    with pytest.raises(OptionsDifferError) as caught:
        up(engine, image=BROKEN)
    assert caught.value.hint == f"localreg up --recreate --image {BROKEN}"


def test_an_ephemeral_one_that_ends_at_once_is_asked_again_for_its_last_words(
    engine: FakeEngine, registry: FakeRegistry, port: int
) -> None:
    registry.faults["/v2/"] = "500"
    with pytest.raises(RegistryNotReadyError) as caught:
        up(engine, port=port, ephemeral=True, image=BROKEN)
    assert "to stderr" in caught.value.details
    assert engine.list_containers() == []


def test_an_engine_that_fails_in_the_middle_of_a_replacement_says_its_own_error(
    engine: FakeEngine, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    up(engine, port=port)
    before = container(engine)

    def fail(*_: object) -> None:
        raise EngineError("no more containers today")

    monkeypatch.setattr(engine, "create_container", fail)
    with pytest.raises(EngineError, match="no more containers today"):
        up(engine, recreate=True)
    assert container(engine) == before
