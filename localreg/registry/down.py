"""`down`: stops a registry and removes its container; its images stay unless they are removed as well."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field

from localreg.engines.port import Engine
from localreg.engines.values import AnonymousMount, ContainerState, HostPathMount, Volume, VolumeMount
from localreg.errors import ContainerNotFoundError, NotOursError
from localreg.registry.container import NAME_LABEL, Registry, find_registry, is_ours
from localreg.registry.helper import remove_helper
from localreg.registry.options import RegistryOptions
from localreg.registry.replace import recover
from localreg.system.command_line import CommandLine


@dataclass(frozen=True, slots=True)
class DownResult:
    """The removed things, and the places that still have images."""

    container: str | None = None
    """The container that was removed."""
    is_registry: bool = True
    """False for a container that seems to be something else."""
    volumes: tuple[str, ...] = ()
    """The volumes that were removed with their images."""
    kept: tuple[str, ...] = ()
    """Volumes that localreg created and that still hold images."""
    kept_elsewhere: tuple[str, ...] = ()
    """Places that still hold images. localreg did not create them, so it never removes them."""
    asked: RegistryOptions = field(default_factory=RegistryOptions)
    """The options of the `up` that created it: another one needs them again."""


def bring_down(engine: Engine, name: str, *, volumes: bool, force: bool) -> DownResult:
    """Stop and remove a registry's container.

    Args:
        engine: The registry's engine.
        name: The container's name; it need not exist.
        volumes: Also remove the volumes that localreg created for it, even if the container is gone.
        force: Remove the container even if localreg did not create it.

    Raises:
        NotOursError: localreg did not create it.
    """
    remove_helper(engine, name)
    recover(engine, name)
    registry = find_registry(engine, name)
    if registry is not None:
        if not registry.is_ours and not force:
            raise NotOursError(
                f"localreg did not create container `{name}` and leaves it alone",
                hint=CommandLine("down", "--force"),
            )
        _stop(engine, registry)
        # An ephemeral registry is removed completely. The data of a registry started by hand stays without --volumes.
        engine.remove_container(registry.container.id, anonymous_volumes=volumes or registry.is_ours)
    ours = tuple(volume.name for volume in engine.list_volumes() if _is_of(volume, name))
    if volumes:
        for volume in ours:
            engine.remove_volume(volume)
    is_discarded = volumes or (registry is not None and bool(registry.options.ephemeral))
    place = _place_of_others(registry, ours, volumes=volumes)
    # Users in a folder that stays keep their passwords.
    if is_discarded and place is None:
        _forget_login(engine, name, registry)
    return DownResult(
        container=registry.container.name if registry else None,
        is_registry=registry is None or registry.seems_one,
        volumes=ours if volumes else (),
        kept=() if volumes else ours,
        kept_elsewhere=(place,) if place else (),
        asked=RegistryOptions() if registry is None else registry.asked,
    )


def _forget_login(engine: Engine, name: str, registry: Registry | None) -> None:
    from localreg.registry.passwords import forget, owner_of  # noqa: PLC0415 -- only with the images

    forget(owner_of(engine.info(), name), None if registry is None else registry.location)


def _stop(engine: Engine, registry: Registry) -> None:
    """Stop it gracefully, unless it is ephemeral: that one has nothing to write, and removes itself."""
    if registry.options.ephemeral or registry.container.state is ContainerState.PAUSED:
        return
    # Another process may remove it at the same time.
    with contextlib.suppress(ContainerNotFoundError):
        engine.stop_container(registry.container.id)


def _is_of(volume: Volume, name: str) -> bool:
    return is_ours(volume.labels) and volume.labels.get(NAME_LABEL) == name


def _place_of_others(registry: Registry | None, ours: tuple[str, ...], *, volumes: bool) -> str | None:
    """The place of images that are not in localreg's own volumes."""
    match registry.data if registry else None:
        case VolumeMount(volume=volume) if volume not in ours:
            return f"volume {volume}"
        case HostPathMount(path=path):
            return path
        case AnonymousMount() if registry and not (registry.is_ours or registry.container.removes_itself or volumes):
            return "an anonymous volume"
    return None
