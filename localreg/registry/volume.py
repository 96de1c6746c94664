"""The content of a registry, read and changed past its HTTP API.

It holds what HTTP does not tell: when each tag was pushed, manifests without a tag, and what nothing refers to.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Protocol

from localreg.engines.port import ContainerRuntime
from localreg.engines.values import Container, HostPathMount, VolumeMount
from localreg.registry.container import DATA_FOLDER, Registry
from localreg.registry.volume_folder import FolderVolume
from localreg.registry.volume_layout import Links, VolumeFile

READING_SECONDS = 10.0
"""The patience of a command that reads: without a word for so long, the registry is asked over HTTP instead."""


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


class WritableVolume(Volume, Protocol):
    """The stored data of a registry, with the files that its content is made of."""

    is_elsewhere: bool
    """Another process reads it."""

    def list_repositories(self) -> list[str]:
        """Every repository that has or had content, as the registry's catalog lists them.

        Raises:
            EngineError: they cannot be read.
        """

    def list_blobs(self) -> set[str]:
        """The digests of all blobs that have a folder; one that is being stored or deleted may have no bytes in it.

        Raises:
            EngineError: they cannot be read.
        """

    def list_files(self, *paths: str, skip: Collection[str] = ()) -> Iterator[VolumeFile]:
        """The files in folders, and those named themselves; the ones that do not exist are left out.

        Args:
            paths: Below the registry's root directory.
            skip: The names of folders that are not looked into.

        Raises:
            EngineError: they cannot be read.
        """

    def read_files(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """The path and the content of small files; those that do not exist are left out.

        Raises:
            EngineError: they cannot be read.
        """

    def disk_usage(self) -> int:
        """Bytes that the registry's data occupies on the disk, with its folders.

        Raises:
            EngineError: it cannot be read.
        """

    def free_space(self) -> int:
        """Bytes that are left on its disk for the registry.

        Raises:
            EngineError: it does not tell.
        """

    def make_file(self, path: str) -> None:
        """Create an empty file, with its folder, or set its time to now.

        Raises:
            EngineError: it cannot be written.
        """

    def move_into(self, folders: Mapping[str, Collection[str]]) -> None:
        """Rename files and folders into folders, which are created.

        Args:
            folders: For each, the paths that it gets; those that do not exist are left out. Their last parts are
                distinct, and the folder has nothing of the same names.

        Raises:
            EngineError: some cannot be moved; others may be.
        """

    def put_back(self, files: Collection[tuple[str, str]]) -> None:
        """Rename files, and create their folders; a file that has the new name is replaced.

        Args:
            files: The path and the new path of each; those that do not exist are left out.

        Raises:
            EngineError: some cannot be moved; others may be.
        """

    def remove(self, paths: Collection[str]) -> None:
        """Remove files and folders with all that they hold, then the folders around them that are empty.

        Args:
            paths: Those that do not exist are left out.

        Raises:
            EngineError: some cannot be removed; others may be.
        """


def open_volume(
    engine: ContainerRuntime, registry: Registry, *, patience: float | None = None, writes: bool = False
) -> WritableVolume | None:
    """The stored data of a registry, read directly if this process may, else by a shell in its container.

    The registry may store its data elsewhere, such as in S3: compare a tag with what it answers.

    Args:
        engine: The registry's engine.
        registry: The registry.
        patience: Seconds without output after which a command in the container has failed; None for the engine's.
        writes: It is going to be changed.

    Returns:
        None if there is no way but HTTP.
    """
    container, there = registry.container, registry.root_directory
    if volume := open_folder(engine, registry, there, writes=writes):
        return volume
    return volume_in(engine, container, there, patience=patience) if container.is_running else None


def volume_in(
    engine: ContainerRuntime,
    container: Container,
    root_directory: str,
    *,
    patience: float | None = None,
    gives_way: bool = False,
) -> WritableVolume:
    """The stored data of a registry, read by a shell in a container.

    Args:
        engine: The container's engine.
        container: The registry's own or another with its mounts; running.
        root_directory: The folder with the data there.
        patience: As for `open_volume`.
        gives_way: Read with the lowest priority.
    """
    from localreg.registry.patience import run_patiently  # noqa: PLC0415 -- only if the folder cannot be read
    from localreg.registry.volume_shell import ExecVolume  # noqa: PLC0415 -- as above

    run = partial(engine.run_in_container, container.id)
    run = run if patience is None else partial(run_patiently, run, seconds=patience)
    return ExecVolume(run, root_directory, gives_way=gives_way)


def open_folder(
    engine: ContainerRuntime, registry: Registry, root_directory: str, *, writes: bool = False
) -> FolderVolume | None:
    """The stored data of a registry, running or not, if this process may read its folder, or also change it."""
    here = _find_folder(engine, registry) if root_directory == DATA_FOLDER else None
    volume = FolderVolume(here) if here is not None else None
    if volume is None or not volume.is_readable or (writes and not volume.is_writable):
        return None
    return volume


def _find_folder(engine: ContainerRuntime, registry: Registry) -> Path | None:
    """The folder with the registry's data, if it is on this machine."""
    if engine.info().remote:
        return None
    match registry.data:
        case HostPathMount(path=path) if path:
            return Path(path)
        case VolumeMount(volume=name):
            found = engine.find_volume(name)
            return Path(found.path) if found and found.path else None
    return None
