"""The content of a registry, read past its HTTP API: the links of tags with the time of their push, and small blobs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Protocol

from localreg.engines.port import ContainerRuntime
from localreg.engines.values import HostPathMount, VolumeMount
from localreg.registry.container import DATA_FOLDER, Registry
from localreg.registry.volume_folder import FolderVolume
from localreg.registry.volume_layout import Links
from localreg.registry.volume_shell import ExecVolume


class Volume(Protocol):
    """The stored data of a registry."""

    def read_links(self, repositories: Collection[str] | None = None) -> Links:
        """The links of some repositories; by default of all.

        Raises:
            EngineError: they cannot be read, or not all of them.
        """

    def read_blobs(self, digests: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """The digest and the bytes of each blob, checked against its digest.

        Args:
            digests: Those that are not sha256, not there, or larger than 4 MiB, are left out.
        """


def open_volume(engine: ContainerRuntime, registry: Registry) -> Volume | None:
    """The stored data of a registry, read directly if this process may, else by a shell in its container.

    The registry may store its data elsewhere, such as in S3: compare a tag with what it answers.

    Returns:
        None if there is no way but HTTP.
    """
    container, there = registry.container, registry.root_directory
    here = _find_folder(engine, registry) if there == DATA_FOLDER else None
    if here is not None and (volume := FolderVolume(here)).is_readable:
        return volume
    return ExecVolume(partial(engine.run_in_container, container.id), there) if container.is_running else None


def _find_folder(engine: ContainerRuntime, registry: Registry) -> Path | None:
    """The folder with the registry's data, if it is on this machine."""
    if engine.info().remote:
        return None
    match registry.data:
        case HostPathMount(path=path):
            return Path(path)
        case VolumeMount(volume=name):
            found = engine.find_volume(name)
            return Path(found.path) if found and found.path else None
    return None
