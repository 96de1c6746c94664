"""`status`: the state of a registry, running or not."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum

from localreg.engines.port import Engine
from localreg.engines.values import ContainerState, EngineInfo, Image
from localreg.errors import LocalregError
from localreg.oci.ping import Reply, ask
from localreg.oci.reference import find_reference
from localreg.oci.refusal import PushRefusal
from localreg.registry.container import Registry, find_registry
from localreg.registry.helper import find_helper
from localreg.registry.refusals import find_refusal

_WORKERS = 16


class Health(StrEnum):
    """The health of a registry."""

    HEALTHY = "healthy"
    NOT_ANSWERING = "not answering"
    SPEAKS_TLS = "speaks TLS"
    OUT_OF_REACH = "out of reach"
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
    is_registry: bool = True
    """False for a container of that name that seems to be something else."""
    repositories: int | None = None
    """The number of repositories that have a tag; None if the registry could not be read."""
    requires_login: bool = False
    login_user: str | None = None
    """The user that localreg logs in as; None if no store has a login."""
    pushes_refused: PushRefusal | None = None
    """Why it takes no pushes; None if the container of a registry that localreg did not create does not tell."""
    stopped_by_gc: bool = False
    """`gc` stopped it, and has not started it again: it is at work, or was killed."""


def get_status(engine: Engine, name: str) -> Status:
    """Collect the state of a registry, which may not exist."""
    registry = find_registry(engine, name)
    if registry is None:
        return Status(name, engine.info(), Health.ABSENT)
    reply = _ask(registry)
    health = _health(registry, reply)
    requires_login = reply is Reply.WANTS_LOGIN
    login_user = _find_user(registry) if requires_login else None
    can_list = reply is Reply.READY or login_user is not None
    return Status(
        name=name,
        engine=engine.info(),
        health=health,
        registry=registry,
        version=registry_version(engine, registry),
        storage=registry.storage,
        is_registry=_seems_one(registry, health),
        repositories=_count_repositories(registry) if can_list else None,
        requires_login=requires_login,
        login_user=login_user,
        pushes_refused=None if registry.is_ours else find_refusal(registry),
        stopped_by_gc=health is Health.STOPPED and find_helper(engine, name) is not None,
    )


def registry_version(engine: Engine, registry: Registry) -> str | None:
    """The version of the registry's program: from the label of its image, else from the image's tag."""
    image: Image | None = engine.find_image(registry.container.image)
    labelled = (image.labels if image else {}).get("org.opencontainers.image.version")
    if labelled:
        return labelled.partition("+")[0]
    reference = find_reference(registry.container.image)
    tag = reference.tag if reference else None
    return tag if tag and tag[0].isdigit() else None


def _ask(registry: Registry) -> Reply:
    runs = registry.container.state is ContainerState.RUNNING
    return ask(registry.url) if runs and registry.url is not None else Reply.NONE


def _health(registry: Registry, reply: Reply) -> Health:
    if registry.container.state is not ContainerState.RUNNING:
        return Health.STOPPED
    if reply.is_ready:
        return Health.HEALTHY
    if reply is Reply.SPEAKS_TLS:
        return Health.SPEAKS_TLS
    is_out_of_reach = registry.published is not None and registry.url is None
    return Health.OUT_OF_REACH if is_out_of_reach else Health.NOT_ANSWERING


def _find_user(registry: Registry) -> str | None:
    from localreg.registry.client import find_login  # noqa: PLC0415 -- loads urllib3, only for a login

    login = find_login(registry)
    return None if login is None else login.user


def _count_repositories(registry: Registry) -> int | None:
    from localreg.registry.client import open_registry  # noqa: PLC0415 -- loads urllib3, only for a healthy one

    try:
        with open_registry(registry) as client, ThreadPoolExecutor(_WORKERS) as pool:
            # The registry goes on listing a repository whose last tag was removed.
            return sum(pool.map(client.has_tags, client.iter_repositories()))
    except LocalregError:
        return None


@dataclass(frozen=True, slots=True)
class SeenRegistry:
    """A registry on an engine, for `status --all`."""

    engine: EngineInfo
    registry: Registry
    health: Health


def list_registries(engine: Engine) -> list[SeenRegistry]:
    """Every registry on an engine, recognised by its label, its image or its response."""
    return [
        SeenRegistry(engine.info(), registry, health)
        for registry in map(Registry, engine.list_containers())
        for health in [_health(registry, _ask(registry))]
        if _seems_one(registry, health)
    ]


def find_registry_named_by(engine: Engine, host: str) -> SeenRegistry | None:
    """The registry that references with this host and port lead to; one that runs comes first."""
    found = [seen for seen in list_registries(engine) if seen.registry.is_named_by(host)]
    return min(found, key=lambda seen: seen.health is not Health.HEALTHY, default=None)


def _seems_one(registry: Registry, health: Health) -> bool:
    return registry.seems_one or health is Health.HEALTHY
