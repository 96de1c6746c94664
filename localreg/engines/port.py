"""The two ports to a container engine.

`ContainerRuntime` runs containers, `ImageStore` keeps images; an `Engine` is both. Every verb is one that a command
needs, in localreg's own words.

Unless a verb says otherwise it may raise `EngineError` (refused or failed) and `EngineLostError` (the connection broke,
or the engine fell silent), and nothing of an SDK.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Protocol, Self

from localreg.engines.values import Container, ContainerSpec, EngineInfo, Image, LogChunk, Progress, Volume

PING_SECONDS = 5.0
"""How long `is_answering` waits."""


class ContainerRuntime(Protocol):
    """An engine that runs containers."""

    def info(self) -> EngineInfo:
        """What this engine is; asks nothing after the adapter was opened."""

    def is_answering(self) -> bool:
        """Whether it answers now, within a few seconds; never raises."""

    def find_container(self, name: str) -> Container | None:
        """The container of exactly this name or ID, running or not."""

    def list_containers(self) -> list[Container]:
        """Every container, running or not."""

    def create_container(self, spec: ContainerSpec) -> Container:
        """Create a container without starting it.

        Raises:
            NameTakenError: a container of that name exists.
            ImageNotFoundError: the engine does not have the image.
        """

    def rename_container(self, container_id: str, name: str) -> None:
        """Give a container another name, running or not.

        Raises:
            NameTakenError: another container has that name.
            ContainerNotFoundError: there is none.
        """

    def start_container(self, container_id: str) -> None:
        """Start a created or stopped container; nothing happens to a running one.

        Raises:
            ContainerNotFoundError: there is none.
            PortTakenError: the engine could not bind the published port. The container stays, not running.
        """

    def stop_container(self, container_id: str, *, grace_seconds: int = 10) -> None:
        """Ask it to stop, kill it after the grace; nothing happens to a stopped one.

        Raises:
            ContainerNotFoundError: there is none.
        """

    def remove_container(self, container_id: str, *, anonymous_volumes: bool = True) -> None:
        """Remove it, running or not; named volumes stay. None there: nothing happens.

        Args:
            container_id: Name or ID.
            anonymous_volumes: Remove those of its volumes that have no name of somebody's choice, with their data.
        """

    def read_logs(
        self,
        container_id: str,
        *,
        follow: bool = False,
        tail: int | None = None,
        since: datetime | None = None,
        timestamps: bool = False,
    ) -> Iterator[LogChunk]:
        """Iterate over its output, stdout and stderr apart, unchanged to the byte.

        Args:
            container_id: Name or ID.
            follow: Go on until the container stops or is removed; ends then without an error.
            tail: Only this many last lines; None for all.
            since: Aware; only what was written at or after it.
            timestamps: The engine puts an RFC 3339 time and a space before each line.

        Raises:
            ContainerNotFoundError: there is none (raised at the call or at the first item).
            EngineLostError: the connection broke in the middle.
        """

    def find_volume(self, name: str) -> Volume | None:
        """The volume of exactly this name."""

    def list_volumes(self) -> list[Volume]:
        """Every volume, anonymous ones included."""

    def create_volume(self, name: str, labels: Mapping[str, str]) -> Volume:
        """Create it; one that exists is returned as it is, its labels unchanged."""

    def remove_volume(self, name: str) -> None:
        """Remove it with its data. None there: nothing happens.

        Raises:
            InUseError: a container uses it; `details` names the container where the engine does.
        """


class ImageStore(Protocol):
    """An engine that keeps images."""

    def find_image(self, reference: str) -> Image | None:
        """The image that the engine resolves this to: a reference, a short name, an ID or the start of one."""

    def list_images(self) -> list[Image]:
        """Every image that has a name."""

    def load_archive(self, archive: Path) -> tuple[Image, ...]:
        """Load a docker-archive (an OCI archive only where `EngineInfo.loads_oci_archives`), streamed from disk.

        Returns:
            The images that were in it.

        Raises:
            InvalidArchiveError: the engine finds no image in it.
        """

    def tag_image(self, image: str, reference: str) -> None:
        """Give an image one more name; a name that another image had moves.

        Args:
            image: Reference or ID.
            reference: Complete, with registry and tag.

        Raises:
            ImageNotFoundError: there is none.
        """

    def untag_image(self, reference: str) -> None:
        """Take this name away; the image goes with its last name. None there: nothing happens.

        Raises:
            InUseError: it is the last name of an image that a container uses.
        """

    def push_image(self, reference: str, *, plain_http: bool) -> Iterator[Progress]:
        """Push the image of that name to the registry that the name has.

        An error that the engine reports inside a stream that began well is raised like any other.

        Args:
            reference: Complete, with registry and tag.
            plain_http: The registry is known to speak plain HTTP; the engine is told so where it has to be told.

        Raises:
            ImageNotFoundError: the engine has no image of that name.
            RegistryError: the registry refused, was unreachable or answered an error.
        """

    def pull_image(self, reference: str, *, plain_http: bool) -> Iterator[Progress]:
        """Pull an image by its complete reference (tag or digest).

        Raises:
            ImageNotFoundError: the registry does not have it.
            RegistryError: the registry refused, was unreachable or answered an error.
        """


class Engine(ContainerRuntime, ImageStore, Protocol):
    """Both ports over one connection; a context manager that closes it."""

    def close(self) -> None:
        """Close the connection; closing again does nothing."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc_info: object) -> None: ...
