"""Which registries garbage collection must not touch, and which it must stop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from localreg.content.agreement import has_one_of, read_served_links
from localreg.engines.port import ContainerRuntime
from localreg.engines.values import Container, ContainerState, HostPathMount, Mount, VolumeMount
from localreg.errors import ConflictError, NotOursError
from localreg.oci.push_check import find_push_refusal
from localreg.oci.refusal import PushRefusal
from localreg.registry.client import open_registry
from localreg.registry.container import HELPER_LABEL, Registry
from localreg.registry.distribution_settings import CACHE_VARIABLE, FILESYSTEM, DistributionSettings
from localreg.registry.volume import WritableVolume
from localreg.registry.volume_layout import Links
from localreg.system.command_line import CommandLine, Sentence

_FEW = 5
"""Repositories that are looked at first: most often one of their tags is enough."""


def check_collectable(
    engine: ContainerRuntime,
    registry: Registry,
    settings: DistributionSettings,
    *,
    force: bool,
    others: Sequence[ContainerRuntime] = (),
) -> None:
    """Check that nothing but this registry uses its storage, and that its tags tell what is needed.

    Args:
        engine: The registry's engine.
        registry: Running.
        settings: Of its storage.
        force: It need not be localreg's.
        others: Other engines of the same machine, whose containers may use the same folder.

    Raises:
        NotOursError: localreg did not create it.
        ConflictError: it is a cache of another registry, or its storage is not one folder of its own.
    """
    name = registry.container.name
    if not registry.is_ours and not force:
        raise NotOursError(
            f"localreg did not create registry `{name}` and removes nothing from its storage",
            hint=CommandLine("gc", "--force"),
        )
    if upstream := settings.upstream or _find_upstream(registry):
        raise ConflictError(
            f"registry `{name}` is a cache of {upstream}: no tag leads to most of what it serves",
            hint=Sentence("a cache removes old images by itself; its `proxy.ttl` tells when"),
        )
    if settings.driver != FILESYSTEM:
        raise ConflictError(
            f"registry `{name}` keeps its images with the storage driver `{settings.driver}`, not in a folder",
            hint=Sentence("stop everything that pushes to it, and run `registry garbage-collect` in its container"),
        )
    if settings.keeps_cache:
        raise ConflictError(
            f"registry `{name}` has a cache in Redis, which would go on offering layers that were moved",
            hint=Sentence(f"empty that cache, and set {CACHE_VARIABLE} to `none` in the registry's environment"),
        )
    _check_alone(engine, registry, settings.root_directory, others)


def check_stores_here(registry: Registry, volume: WritableVolume, links: Links | None = None) -> None:
    """Check that a registry serves what is in a volume.

    Args:
        registry: It runs.
        volume: The volume.
        links: All links of the volume, if they were read already.

    Raises:
        ConflictError: it has other tags.
        RegistryError: it cannot be asked.
    """
    if registry.only_volume_tells:
        return
    with open_registry(registry) as client:
        some = links or volume.read_links(volume.list_repositories()[:_FEW])
        if not has_one_of(client, some) and read_served_links(client, volume) is None:
            raise ConflictError(
                f"registry `{registry.container.name}` does not serve what is in its volume: its images are elsewhere",
                hint=CommandLine("ls"),
            )


def must_stop(registry: Registry, settings: DistributionSettings) -> bool:
    """Whether a registry must be stopped for a collection: it would still offer layers that were moved.

    A cache does no harm if nothing can be pushed.

    Raises:
        ConflictError: it must, but cannot be.
    """
    if not settings.has_cache or settings.is_read_only:
        return False
    container = registry.container
    if container.removes_itself:
        raise ConflictError(
            f"registry `{container.name}` has a cache, so that it must be stopped for garbage collection; then its "
            "images would be deleted, because it removes itself",
            hint=CommandLine("up", "--recreate") if registry.is_ours else None,
        )
    storage = _storage_of(container, PurePosixPath(settings.root_directory))
    if storage is None or (isinstance(storage, HostPathMount) and not storage.path):
        raise ConflictError(
            f"registry `{container.name}` has a cache, so that it must be stopped for garbage collection; then nothing "
            f"can read its images, which are in no volume",
            hint=Sentence(f"set {CACHE_VARIABLE} to `none` in its environment"),
        )
    return True


def _find_upstream(registry: Registry) -> str | None:
    """The registry itself tells that it is a cache, if its configuration cannot be read."""
    if registry.is_ours or registry.url is None:
        return None
    with open_registry(registry) as client:
        refusal = find_push_refusal(client, "localreg")
    return "another registry" if refusal is PushRefusal.CACHE else None


def _check_alone(
    engine: ContainerRuntime, registry: Registry, root_directory: str, others: Sequence[ContainerRuntime]
) -> None:
    name, root = registry.container.name, PurePosixPath(root_directory)
    inner = [mount for mount in registry.container.mounts if root in PurePosixPath(mount.target).parents]
    if inner:
        raise ConflictError(
            f"a part of the storage of registry `{name}` is mounted from elsewhere: `{inner[0].target}`",
            hint=Sentence(f"mount one volume or folder at `{root_directory}`"),
        )
    storage = _storage_of(registry.container, root)
    if storage is None:
        return
    for each in (engine, *others):
        for container in _sharing(each, registry, storage, is_other=each is not engine):
            program = each.info().name
            raise ConflictError(
                f"container `{container.name}` ({program.capitalize()}) uses the storage of registry `{name}` as well",
                hint=f"{program} stop {container.name}",
            )


def _storage_of(container: Container, root: PurePosixPath) -> Mount | None:
    """The mount that holds a folder of a container; None if the container itself does."""
    holding = (
        mount
        for mount in container.mounts
        if PurePosixPath(mount.target) in (root, *root.parents) and mount.target != "/"
    )
    return max(holding, key=lambda mount: len(mount.target), default=None)


def _sharing(engine: ContainerRuntime, registry: Registry, storage: Mount, *, is_other: bool) -> Iterator[Container]:
    """The containers that may write to the same storage."""
    for container in engine.list_containers():
        is_active = container.is_running or container.state is ContainerState.PAUSED
        if not is_active or container.id == registry.container.id or HELPER_LABEL in container.labels:
            continue
        if any(_overlap(storage, mount, is_other=is_other) for mount in container.mounts):
            yield container


def _overlap(one: Mount, two: Mount, *, is_other: bool) -> bool:
    match one, two:
        case HostPathMount(path=here), HostPathMount(path=there):
            first, second = PurePosixPath(here), PurePosixPath(there)
            return first in (second, *second.parents) or second in first.parents
        case VolumeMount(volume=here), VolumeMount(volume=there):
            # Another engine has other volumes.
            return here == there and not is_other
    return False
