"""Podman, through podman-py: mostly its HTTP client, because its managers lose messages and bytes."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Self

import podman.errors
import requests

from localreg.engines.common.log_frames import iter_log_chunks
from localreg.engines.common.messages import PORT_TAKEN
from localreg.engines.common.ports import host_of, is_anonymous
from localreg.engines.common.values import read_container
from localreg.engines.podman.connection import (
    NEVER,
    REQUEST_SECONDS,
    Connection,
    is_rootless,
    podman_errors,
    quoted,
    said,
)
from localreg.engines.podman.exec import PodmanExec
from localreg.engines.podman.files import PodmanFiles
from localreg.engines.podman.images import PodmanImages
from localreg.engines.podman.networks import PodmanNetworks, network_options
from localreg.engines.podman.service import end_hanging_service
from localreg.engines.podman.volumes import PodmanVolumes
from localreg.engines.port import PING_SECONDS
from localreg.engines.values import (
    Container,
    ContainerSpec,
    Endpoint,
    EngineInfo,
    LogChunk,
    Stream,
)
from localreg.errors import (
    ContainerNotFoundError,
    EngineError,
    ImageNotFoundError,
    NameTakenError,
    NotFoundError,
    PortTakenError,
)
from localreg.system.waiting import wait_until

_NAME_TAKEN = re.compile(r"already in use|UNIQUE constraint failed: ContainerConfig\.Name")
"""Messages of releases before and since 5 about a new name that is in use."""
_LOG_BYTES = 10_000_000
_REMOVAL_SECONDS = 10.0


class PodmanEngine(PodmanImages, PodmanVolumes, PodmanExec, PodmanFiles, PodmanNetworks):
    """A Podman service."""

    def __init__(self, connection: Connection, endpoint: Endpoint, info: EngineInfo) -> None:
        super().__init__(connection, info)
        self._endpoint = endpoint

    @classmethod
    def open(cls, endpoint: Endpoint) -> Self:
        """Connect to a service."""
        with contextlib.ExitStack() as undo, podman_errors("connect"):
            connection = Connection(endpoint)
            undo.callback(connection.close)
            info = EngineInfo(
                name="podman",
                # `/version` takes a second or more, because Podman asks the package manager about its helpers.
                version=connection.get("/_ping").headers.get("Libpod-API-Version", ""),
                endpoint=endpoint.url,
                context=endpoint.context,
                rootless=is_rootless(connection, endpoint),
                remote=endpoint.is_remote,
                host=host_of(endpoint),
                private=endpoint.private,
                loads_oci_archives=True,
                pushes_may_stick=True,
            )
            undo.pop_all()
        return cls(connection, endpoint, info)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections, which would keep an idle service alive."""
        self._shells.close()
        self._connection.close()
        if self._endpoint.private:
            end_hanging_service(self._endpoint)

    def info(self) -> EngineInfo:
        """The engine's name, version and features."""
        return self._info

    def is_answering(self) -> bool:
        """Whether the service responds."""
        try:
            self._connection.get("/_ping", timeout=PING_SECONDS)
        except (podman.errors.APIError, requests.exceptions.RequestException):
            return False
        return True

    def find_container(self, name: str) -> Container | None:
        """Find a container by its exact name or ID."""
        if not name:
            return None
        with podman_errors(f"look for container `{name}`"):
            try:
                found = self._connection.get(f"/containers/{quoted(name)}/json", compatible=True).json()
            except podman.errors.APIError as exc:
                # Podman returns 500 for a container that is removed at this moment.
                if isinstance(exc, podman.errors.NotFound) or "no such container" in " ".join(said(exc)):
                    return None
                raise
        if found["HostConfig"].get("NetworkMode") == "host" and not found["Config"].get("ExposedPorts"):
            # Podman names the ports of the host's network only with the image.
            found["Config"]["ExposedPorts"] = self._exposed_ports(found["Image"])
        container = read_container(found, self._endpoint)
        return container if name in (container.name, container.id) else None

    def list_containers(self) -> list[Container]:
        """List all containers, running or not."""
        with podman_errors("list containers"):
            ids = [entry["Id"] for entry in self._connection.get("/containers/json", params={"all": "true"}).json()]
        found = (self.find_container(container_id) for container_id in ids)
        return [container for container in found if container is not None]

    def create_container(self, spec: ContainerSpec) -> Container:
        """Create a container without starting it."""
        with podman_errors(f"create container `{spec.name}`"):
            try:
                created = self._connection.client.containers.create(
                    spec.image, list(spec.command[1:]) or None, **self._options(spec)
                )
            except podman.errors.APIError as exc:
                message = " ".join(said(exc))
                if isinstance(exc, podman.errors.ImageNotFound) or "image not known" in message:
                    raise ImageNotFoundError(f"Podman has no image `{spec.image}`", details=said(exc)) from exc
                if "network not found" in message:
                    raise NotFoundError("Podman has no such network", details=said(exc)) from exc
                if "already in use" in message:
                    raise NameTakenError(f"a container `{spec.name}` already exists", details=said(exc)) from exc
                raise
        container = self.find_container(created.id)
        if container is None:
            raise ContainerNotFoundError(f"container `{spec.name}` was removed right after its creation")
        return container

    def _options(self, spec: ContainerSpec) -> dict[str, Any]:
        """The container as keyword arguments of podman-py."""
        restart: dict[str, Any] = {"restart_policy": {"Name": "unless-stopped"}} if spec.restart else {}
        return {
            "name": spec.name,
            "environment": dict(spec.environment),
            "labels": dict(spec.labels),
            "ports": {f"{spec.container_port}/tcp": (spec.publish.host, spec.publish.port)} if spec.publish else {},
            "volumes": self._volumes(spec),
            "auto_remove": spec.remove_when_stopped,
            # Journald, the default on some systems, changes bytes.
            "log_config": {"Type": "k8s-file", "Config": {"size": _LOG_BYTES}},
            **restart,
            **network_options(spec.networks),
            **({"entrypoint": list(spec.command[:1])} if spec.command else {}),
            # Else, Podman 4 makes those that the image declares, which conflict with a folder at their place.
            **({"volumes_from": [spec.volumes_from], "image_volume_mode": "ignore"} if spec.volumes_from else {}),
            **({"user": spec.user} if spec.user else {}),
        }

    def rename_container(self, container_id: str, name: str) -> None:
        """Rename a container."""
        with podman_errors(f"rename container `{container_id[:12]}`"):
            try:
                self._connection.post(f"/containers/{quoted(container_id)}/rename", params={"name": name})
            except podman.errors.NotFound as exc:
                raise _no_container(container_id, exc) from exc
            except podman.errors.APIError as exc:
                if _NAME_TAKEN.search(" ".join(said(exc))):
                    raise NameTakenError(f"a container `{name}` already exists", details=said(exc)) from exc
                raise

    def start_container(self, container_id: str) -> None:
        """Start a created or stopped container."""
        with podman_errors(f"start container `{container_id[:12]}`"):
            try:
                self._connection.post(f"/containers/{quoted(container_id)}/start")
            except podman.errors.NotFound as exc:
                raise _no_container(container_id, exc) from exc
            except podman.errors.APIError as exc:
                if PORT_TAKEN.search(" ".join(said(exc))):
                    raise PortTakenError("the port is in use", details=said(exc)) from exc
                raise

    def stop_container(self, container_id: str, *, grace_seconds: int = 10) -> None:
        """Stop a container, and kill it after the grace period."""
        with podman_errors(f"stop container `{container_id[:12]}`"):
            try:
                self._connection.post(
                    f"/containers/{quoted(container_id)}/stop",
                    params={"timeout": str(grace_seconds)},
                    timeout=grace_seconds + REQUEST_SECONDS,
                )
            except podman.errors.NotFound as exc:
                raise _no_container(container_id, exc) from exc

    def remove_container(self, container_id: str, *, anonymous_volumes: bool = True) -> None:
        """Remove a container, running or not."""
        with podman_errors(f"remove container `{container_id[:12]}`"):
            volumes = self._anonymous_volumes(container_id) if anonymous_volumes else []
            if not wait_until(
                lambda: self._is_removed(container_id, anonymous_volumes=anonymous_volumes), seconds=_REMOVAL_SECONDS
            ):
                raise EngineError(f"Podman could not remove container `{container_id[:12]}`: it is still stopping")
            for volume in volumes:
                # If the container was started with --rm, Podman may remove it first, without its volumes.
                with contextlib.suppress(podman.errors.APIError):
                    self._connection.delete(f"/volumes/{volume}")

    def _is_removed(self, container_id: str, *, anonymous_volumes: bool) -> bool:
        """Remove a container; False if it is just ending, when Podman can neither stop nor remove it."""
        try:
            self._connection.delete(
                f"/containers/{quoted(container_id)}",
                # For a graceful end, stop it first.
                params={"force": "true", "timeout": "0", "v": "true" if anonymous_volumes else "false"},
            )
        except podman.errors.APIError as exc:
            if "container state improper" not in " ".join(said(exc)):
                raise
            return False
        return True

    def _anonymous_volumes(self, container_id: str) -> list[str]:
        try:
            found = self._connection.get(f"/containers/{quoted(container_id)}/json", compatible=True).json()
        except podman.errors.APIError:
            return []
        return [mount["Name"] for mount in found.get("Mounts") or () if is_anonymous(mount.get("Name") or "")]

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
        """Read a container's output; unlike podman-py's method, this separates stdout and stderr."""
        flags = {"stdout": only != "stderr", "stderr": only != "stdout", "follow": follow, "timestamps": timestamps}
        params = {
            **{name: str(flag).lower() for name, flag in flags.items()},
            **({} if tail is None else {"tail": str(tail)}),
            **({} if since is None else {"since": since.isoformat()}),
        }
        with podman_errors(f"read the log of container `{container_id[:12]}`"):
            try:
                response = self._connection.get(
                    f"/containers/{quoted(container_id)}/logs",
                    params=params,
                    stream=True,
                    timeout=NEVER if follow else REQUEST_SECONDS,
                )
            except podman.errors.NotFound as exc:
                raise _no_container(container_id, exc) from exc
            with contextlib.closing(response):
                yield from iter_log_chunks(response.iter_content(chunk_size=None))


def _no_container(container_id: str, error: podman.errors.APIError) -> ContainerNotFoundError:
    return ContainerNotFoundError(f"Podman has no container `{container_id[:12]}`", details=said(error))
