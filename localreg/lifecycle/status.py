"""What is known of a registry, whatever state it is in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from localreg.engines.base import (
    ContainerState,
    Engine,
    EngineInfo,
    HostPathMount,
    Image,
    VolumeMount,
)
from localreg.errors import LocalregError
from localreg.lifecycle.readiness import is_ready
from localreg.registry_container import CONTAINER_PORT, Registry, find_registry


class Health(StrEnum):
    """Whether a registry can be used."""

    HEALTHY = "healthy"
    NOT_ANSWERING = "not answering"
    STOPPED = "stopped"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Status:
    """A registry as it is now."""

    name: str
    engine: EngineInfo
    health: Health
    registry: Registry | None = None
    version: str | None = None
    storage: str | None = None
    """A volume's name or a folder; None for an anonymous volume."""
    repositories: int | None = None
    """How many the registry lists; None when it could not be asked."""


def get_status(engine: Engine, name: str) -> Status:
    """Find out what is known; an answer in every case, as long as an engine answers."""
    registry = find_registry(engine, name)
    if registry is None:
        return Status(name, engine.info(), Health.ABSENT)
    health = _health(registry)
    return Status(
        name=name,
        engine=engine.info(),
        health=health,
        registry=registry,
        version=registry_version(engine, registry),
        storage=_storage(registry),
        repositories=_count_repositories(registry) if health is Health.HEALTHY else None,
    )


def registry_version(engine: Engine, registry: Registry) -> str | None:
    """The version of the registry's program: what its image says of itself, else the image's tag."""
    image: Image | None = engine.find_image(registry.container.image)
    labelled = (image.labels if image else {}).get("org.opencontainers.image.version")
    if labelled:
        return labelled.partition("+")[0]
    tag = registry.container.image.rpartition("/")[2].partition("@")[0].partition(":")[2]
    return tag if tag[:1].isdigit() else None


def _health(registry: Registry) -> Health:
    if registry.container.state is not ContainerState.RUNNING:
        return Health.STOPPED
    published = registry.published
    if published is None or published.from_host is None:
        return Health.NOT_ANSWERING
    return Health.HEALTHY if is_ready(f"http://{published.from_host}") else Health.NOT_ANSWERING


def _storage(registry: Registry) -> str | None:
    match registry.data:
        case VolumeMount(volume=volume):
            return volume
        case HostPathMount(path=path):
            return path
        case _:
            return None


def _count_repositories(registry: Registry) -> int | None:
    from localreg.registry.client import RegistryClient  # noqa: PLC0415 -- loads urllib3, only for a healthy one

    try:
        with RegistryClient(registry.base_url()) as client:
            return sum(1 for _ in client.iter_repositories())
    except LocalregError:
        return None


@dataclass(frozen=True, slots=True)
class SeenRegistry:
    """A registry container on some engine, as `status --all` lists it."""

    engine: EngineInfo
    registry: Registry
    health: Health


def list_registries(engines: Sequence[Engine]) -> list[SeenRegistry]:
    """Every container that is a registry, ours and others': by our label, or because it publishes a registry's port."""
    return [
        SeenRegistry(engine.info(), registry, _health(registry))
        for engine in engines
        for registry in map(Registry, engine.list_containers())
        if registry.is_ours or _looks_like_a_registry(registry)
    ]


def _looks_like_a_registry(registry: Registry) -> bool:
    name = registry.container.image.partition("@")[0].rpartition("/")[2].partition(":")[0]
    return name == "registry" or any(port.container_port == CONTAINER_PORT for port in registry.container.ports)
