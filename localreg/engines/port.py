"""The two ports to a container engine.

`ContainerRuntime` runs containers, `ImageStore` stores images; an `Engine` is both. They have only the methods that
localreg's commands need.

Every method can raise `EngineError` (the engine refused or failed) and `EngineLostError` (the connection broke, or the
engine stopped responding), but never an SDK's error, unless its docstring says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol, Self

from localreg.engines.files import ContainerFile
from localreg.engines.values import Container, ContainerSpec, EngineInfo, Image, LogChunk, Progress, Stream, Volume
from localreg.oci.access import Credentials

PING_SECONDS = 5.0
"""Timeout of `is_answering`."""


class ContainerRuntime(Protocol):
    """An engine that runs containers."""

    def info(self) -> EngineInfo:
        """The engine's name, version and features; sends no request."""

    def is_answering(self) -> bool:
        """Whether the engine responds within a few seconds; never raises."""

    def find_container(self, name: str) -> Container | None:
        """Find a container, running or not, by its exact name or ID."""

    def list_containers(self) -> list[Container]:
        """List all containers, running or not."""

    def create_container(self, spec: ContainerSpec) -> Container:
        """Create a container without starting it.

        Raises:
            NameTakenError: a container with that name exists.
            ImageNotFoundError: the engine does not have the image.
            NotFoundError: one of its networks does not exist.
        """

    def rename_container(self, container_id: str, name: str) -> None:
        """Rename a container, running or not.

        Raises:
            NameTakenError: another container has that name.
            ContainerNotFoundError: the container does not exist.
        """

    def start_container(self, container_id: str) -> None:
        """Start a created or stopped container; does nothing if it is running.

        Raises:
            ContainerNotFoundError: the container does not exist.
            PortTakenError: the engine could not bind the published port. The container remains, not running.
        """

    def stop_container(self, container_id: str, *, grace_seconds: int = 10) -> None:
        """Stop a container, and kill it after the grace period; does nothing if it is stopped.

        Raises:
            ContainerNotFoundError: the container does not exist.
        """

    def remove_container(self, container_id: str, *, anonymous_volumes: bool = True) -> None:
        """Remove a container, running or not, but not its named volumes. Does nothing if it does not exist.

        Args:
            container_id: Name or ID.
            anonymous_volumes: Also remove its anonymous volumes and their data.
        """

    def read_logs(
        self,
        container_id: str,
        *,
        follow: bool = False,
        tail: int | None = None,
        since: datetime | None = None,
        timestamps: bool = False,
        only: Stream | None = None,
    ) -> Iterator[LogChunk]:
        """Read a container's output, stdout and stderr separately, with every byte unchanged.

        Args:
            container_id: Name or ID.
            follow: Continue until the container stops or is removed, which is not an error.
            tail: Only this many last lines; None for all.
            since: Aware; only output written at or after it.
            timestamps: Put an RFC 3339 time and a space before each line.
            only: One of the two streams; None for both.

        Raises:
            ContainerNotFoundError: the container does not exist (raised by the call or by the first item).
            EngineLostError: the connection broke.
        """

    def run_in_container(self, container_id: str, command: Sequence[str]) -> Iterator[bytes]:
        """Run a command in a running container, and stream what it writes to stdout; it has nothing to read on stdin.

        A shell of the container starts it at once, and stays open for the next one until the engine is closed. If the
        output is not read to its end, the command may wait until then. Several threads may run one each.

        Args:
            container_id: Name or ID.
            command: A program of the container or a command of its shell, and arguments; below 2 MB altogether, and
                128 kB each.

        Raises:
            ContainerNotFoundError: the container does not exist (raised by the call or the first item, as the others).
            EngineError: the command failed (raised by the last item), or the container does not have its program;
                `details` are its stderr.
            EngineError: the container is not running, or has no shell.
        """

    def put_files(self, container_id: str, folder: str, files: Mapping[str, ContainerFile]) -> None:
        """Put files of root's into a container, running or not; existing ones are replaced.

        Args:
            container_id: Name or ID.
            folder: An absolute path in the container, also in a volume of it; it is created.
            files: Each file by its name in the folder.

        Raises:
            ContainerNotFoundError: the container does not exist.
        """

    def read_file(self, container_id: str, path: str) -> bytes | None:
        """Read a small file of a container, running or not; None if there is no file at this path.

        Raises:
            ContainerNotFoundError: the container does not exist.
        """

    def list_networks(self) -> list[str]:
        """List the names of all networks."""

    def connect_network(self, container_id: str, network: str) -> None:
        """Connect a container to a network, running or not; does nothing if it is in that network.

        Not if `EngineInfo.joins_networks_when_created`.

        Raises:
            ContainerNotFoundError: the container does not exist.
            NotFoundError: the network does not exist.
            EngineError: the container is in the network of the host or in one of its own.
        """

    def disconnect_network(self, container_id: str, network: str) -> None:
        """Disconnect a container from a network, running or not; does nothing if it is not in that network.

        Not if `EngineInfo.joins_networks_when_created`.

        Raises:
            ContainerNotFoundError: the container does not exist.
        """

    def find_volume(self, name: str) -> Volume | None:
        """Find a volume by its exact name."""

    def list_volumes(self) -> list[Volume]:
        """List all volumes, including anonymous ones."""

    def create_volume(self, name: str, labels: Mapping[str, str]) -> Volume:
        """Create a volume; an existing one is returned with its labels unchanged."""

    def remove_volume(self, name: str) -> None:
        """Remove a volume and its data. Does nothing if it does not exist.

        Raises:
            InUseError: a container uses it; `details` names the container if the engine does.
        """


class ImageStore(Protocol):
    """An engine that stores images."""

    def find_image(self, reference: str) -> Image | None:
        """Find an image as the engine does: by reference, short name, ID or the start of an ID."""

    def list_images(self) -> list[Image]:
        """List all images that have a tag."""

    def load_archive(self, archive: Path) -> tuple[Image, ...]:
        """Load a docker-archive (or an OCI archive, if `EngineInfo.loads_oci_archives`), streamed from disk.

        Returns:
            The images in the archive.

        Raises:
            InvalidArchiveError: the engine finds no image in it.
        """

    def tag_image(self, image: str, reference: str) -> None:
        """Tag an image; a tag that another image has moves.

        Args:
            image: Reference or ID.
            reference: Complete, with registry and tag.

        Raises:
            ImageNotFoundError: the image does not exist.
        """

    def untag_image(self, reference: str) -> None:
        """Remove a tag; the last one removes the image. Does nothing if the tag does not exist.

        Raises:
            InUseError: it is the last tag of an image that a container uses.
        """

    def check_plain_http(self, registry: str) -> None:
        """Check, without a request, that the engine can use plain HTTP for a registry; passes if that is unknown.

        Args:
            registry: Its address, `host:port`.

        Raises:
            RegistryError: the engine's configuration makes it expect TLS; with the cure.
        """

    def reach_registry(self, registry: str, *, plain_http: bool) -> None:
        """Have the engine itself ask a registry for an image that does not exist; nothing is pulled.

        Any answer of the registry will do, also that it wants a login.

        Args:
            registry: Its address, `host:port`, as references name it.
            plain_http: As for `push_image`.

        Raises:
            RegistryError: the engine cannot reach it by this name, or expects TLS from it.
        """

    def push_image(self, reference: str, *, plain_http: bool, login: Credentials | None = None) -> Iterator[Progress]:
        """Push an image to the registry in its reference.

        An error that the engine reports in the middle of the stream is raised like any other.

        Args:
            reference: Complete, with registry and tag.
            plain_http: The registry may speak plain HTTP, or have a certificate that the engine does not trust; an
                engine that must be told is told.
            login: The login to the registry; None for the one that the engine or its program has, if any.

        Raises:
            ImageNotFoundError: the engine has no such image.
            RegistryError: the registry refused, could not be reached or returned an error.
        """

    def pull_image(self, reference: str, *, plain_http: bool, login: Credentials | None = None) -> Iterator[Progress]:
        """Pull an image by its complete reference (tag or digest).

        Args:
            reference: Complete, with registry and tag or digest.
            plain_http: As for `push_image`.
            login: As for `push_image`.

        Raises:
            ImageNotFoundError: the registry does not have it.
            RegistryError: the registry refused, could not be reached or returned an error.
        """


class Engine(ContainerRuntime, ImageStore, Protocol):
    """Both ports over one connection; a context manager that closes it."""

    def close(self) -> None:
        """Close the connection; can be called again."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc_info: object) -> None: ...
