"""Stopping a registry: its container goes, its images stay unless they are to go too."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from localreg.command_line import CommandLine
from localreg.engines.port import Engine
from localreg.engines.values import AnonymousMount, ContainerState, HostPathMount, Volume, VolumeMount
from localreg.errors import ContainerNotFoundError, NotOursError
from localreg.registry.container import NAME_LABEL, Registry, find_registry, is_ours
from localreg.registry.replace import recover


@dataclass(frozen=True, slots=True)
class DownResult:
    """What was removed, and where images still are."""

    container: str | None = None
    """The container that was removed."""
    volumes: tuple[str, ...] = ()
    """The volumes that were removed with their images."""
    kept: tuple[str, ...] = ()
    """Volumes of localreg's that still hold images."""
    kept_elsewhere: tuple[str, ...] = ()
    """Places that still hold images and that localreg did not make, so it never removes them."""


def bring_down(engine: Engine, name: str, *, volumes: bool, force: bool) -> DownResult:
    """Stop and remove a registry's container.

    Args:
        engine: Where it is.
        name: The container's name; none there is no error.
        volumes: Remove the volumes that localreg created for it too, whether or not the container is still there.
        force: Also when localreg did not create the container.

    Raises:
        NotOursError: localreg did not create it.
    """
    recover(engine, name)
    registry = find_registry(engine, name)
    if registry is not None:
        if not registry.is_ours and not force:
            raise NotOursError(
                f"localreg did not create container `{name}` and leaves it alone",
                hint=CommandLine("down", "--force"),
            )
        _stop(engine, registry)
        # The throw-away kind of ours goes whole; the data of a registry started by hand stays unless told otherwise.
        engine.remove_container(registry.container.id, anonymous_volumes=volumes or registry.is_ours)
    ours = tuple(volume.name for volume in engine.list_volumes() if _is_of(volume, name))
    if volumes:
        for volume in ours:
            engine.remove_volume(volume)
    place = _place_of_others(registry, ours, volumes=volumes)
    return DownResult(
        container=registry.container.name if registry else None,
        volumes=ours if volumes else (),
        kept=() if volumes else ours,
        kept_elsewhere=(place,) if place else (),
    )


def _stop(engine: Engine, registry: Registry) -> None:
    """End it gracefully where there is anything to be written; one that keeps nothing goes by itself when it stops."""
    if registry.options.ephemeral or registry.container.state is ContainerState.PAUSED:
        return
    # Somebody else may be removing it at the same time.
    with contextlib.suppress(ContainerNotFoundError):
        engine.stop_container(registry.container.id)


def _is_of(volume: Volume, name: str) -> bool:
    return is_ours(volume.labels) and volume.labels.get(NAME_LABEL) == name


def _place_of_others(registry: Registry | None, ours: tuple[str, ...], *, volumes: bool) -> str | None:
    """Where images are left that localreg's own volumes do not hold."""
    match registry.data if registry else None:
        case VolumeMount(volume=volume) if volume not in ours:
            return f"volume {volume}"
        case HostPathMount(path=path):
            return path
        case AnonymousMount() if registry and not (registry.is_ours or registry.container.removes_itself or volumes):
            return "an anonymous volume"
    return None
