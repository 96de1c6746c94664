"""Docker, through the low-level client of its SDK, which sends no additional requests."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Self

import docker
import docker.errors
import requests

from localreg.engines.common.log_frames import iter_log_chunks
from localreg.engines.common.messages import PORT_TAKEN
from localreg.engines.common.ports import host_of
from localreg.engines.common.values import read_container
from localreg.engines.docker.connection import Connection, docker_errors, said
from localreg.engines.docker.exec import DockerExec
from localreg.engines.docker.files import DockerFiles
from localreg.engines.docker.images import DockerImages
from localreg.engines.docker.networks import DockerNetworks
from localreg.engines.docker.plain_http import read_plain_http
from localreg.engines.docker.volumes import DockerVolumes
from localreg.engines.plain_http import PlainHttp
from localreg.engines.port import PING_SECONDS
from localreg.engines.values import (
    AnonymousMount,
    Container,
    ContainerSpec,
    Endpoint,
    EngineInfo,
    HostPathMount,
    LogChunk,
    Stream,
    VolumeMount,
)
from localreg.errors import (
    ContainerNotFoundError,
    EngineError,
    ImageNotFoundError,
    NameTakenError,
    PortTakenError,
)

_LOG_LIMITS = {"max-size": "10m", "max-file": "3"}


class DockerEngine(DockerImages, DockerVolumes, DockerExec, DockerFiles, DockerNetworks):
    """A Docker daemon."""

    def __init__(
        self, connection: Connection, endpoint: Endpoint, info: EngineInfo, *, selinux: bool, plain_http: PlainHttp
    ) -> None:
        super().__init__(connection, plain_http)
        self._endpoint = endpoint
        self._info = info
        self._selinux = selinux

    @classmethod
    def open(cls, endpoint: Endpoint, *, api_version: str | None = None) -> Self:
        """Connect to a daemon.

        Args:
            endpoint: The daemon's.
            api_version: The daemon's. If it is not known, the SDK asks, for which Docker runs its helpers.
        """
        with contextlib.ExitStack() as undo, docker_errors("connect"):
            connection = Connection(endpoint, api_version=api_version)
            undo.callback(connection.close)
            about: dict[str, Any] = connection.client.info()
            undo.pop_all()
        security = {option for entry in about.get("SecurityOptions") or () for option in entry.split(",")}
        plain_http = read_plain_http(about, endpoint)
        info = EngineInfo(
            name="docker",
            version=str(about.get("ServerVersion") or "").partition("+")[0],
            endpoint=endpoint.url,
            context=endpoint.context,
            rootless=plain_http.rootless,
            remote=endpoint.is_remote,
            host=host_of(endpoint),
            restarts_containers=True,
            # The classic image store does not, and containerd's finds no image in one whose name has no registry.
            loads_oci_archives=False,
            plain_http=plain_http,
        )
        return cls(connection, endpoint, info, selinux="name=selinux" in security, plain_http=plain_http)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._shells.close()
        self._connection.close()

    def info(self) -> EngineInfo:
        """The engine's name, version and features."""
        return self._info

    def is_answering(self) -> bool:
        """Whether the daemon responds."""
        try:
            return bool(self._client.get(f"{self._client.base_url}/_ping", timeout=PING_SECONDS).ok)
        except requests.exceptions.RequestException:
            return False

    def find_container(self, name: str) -> Container | None:
        """Find a container by its exact name or ID."""
        with docker_errors(f"look for container `{name}`"):
            try:
                found = self._client.inspect_container(name)
            except docker.errors.NotFound:
                return None
        container = read_container(found, self._endpoint)
        return container if name in (container.name, container.id) else None

    def list_containers(self) -> list[Container]:
        """List all containers, running or not."""
        with docker_errors("list containers"):
            ids = [entry["Id"] for entry in self._client.containers(all=True)]
        found = (self.find_container(container_id) for container_id in ids)
        return [container for container in found if container is not None]

    def create_container(self, spec: ContainerSpec) -> Container:
        """Create a container without starting it."""
        host_config = self._client.create_host_config(
            port_bindings={f"{spec.container_port}/tcp": (spec.publish.host, spec.publish.port)}
            if spec.publish
            else {},
            binds=self._binds(spec),
            volumes_from=[spec.volumes_from] if spec.volumes_from else None,
            restart_policy={"Name": "unless-stopped"} if spec.restart else None,
            auto_remove=spec.remove_when_stopped,
            # The default driver never rotates its files, and changes bytes that are not UTF-8.
            log_config=docker.types.LogConfig(type="local", config=_LOG_LIMITS),
        )
        with docker_errors(f"create container `{spec.name}`"):
            try:
                created = self._client.create_container(
                    spec.image,
                    name=spec.name,
                    entrypoint=list(spec.command[:1]) or None,
                    command=list(spec.command[1:]) or None,
                    environment=dict(spec.environment),
                    labels=dict(spec.labels),
                    user=spec.user or None,
                    ports=[spec.container_port] if spec.publish else None,
                    volumes=[spec.mount.target] if spec.mount else None,
                    host_config=host_config,
                )
            except docker.errors.ImageNotFound as exc:
                raise ImageNotFoundError(f"Docker has no image `{spec.image}`", details=said(exc)) from exc
            except docker.errors.APIError as exc:
                if exc.status_code == requests.codes.conflict:
                    raise NameTakenError(f"a container `{spec.name}` already exists", details=said(exc)) from exc
                raise
        with contextlib.ExitStack() as undo:
            undo.callback(self.remove_container, created["Id"])
            for network in spec.networks:
                # Before release 25, Docker creates a container in one network only.
                self.connect_network(created["Id"], network)
            undo.pop_all()
        container = self.find_container(created["Id"])
        if container is None:
            raise ContainerNotFoundError(f"container `{spec.name}` was removed right after its creation")
        return container

    def _binds(self, spec: ContainerSpec) -> dict[str, Mapping[str, str]] | None:
        match spec.mount:
            case VolumeMount(volume=source, target=target):
                return {source: {"bind": target, "mode": "rw"}}
            case HostPathMount(path=source, target=target):
                return {source: {"bind": target, "mode": "Z" if self._selinux else "rw"}}
            case AnonymousMount() | None:
                return None

    def rename_container(self, container_id: str, name: str) -> None:
        """Rename a container."""
        with docker_errors(f"rename container `{container_id[:12]}`"):
            try:
                self._client.rename(container_id, name)
            except docker.errors.NotFound as exc:
                raise _no_container(container_id, exc) from exc
            except docker.errors.APIError as exc:
                if exc.status_code == requests.codes.conflict:
                    raise NameTakenError(f"a container `{name}` already exists", details=said(exc)) from exc
                raise

    def start_container(self, container_id: str) -> None:
        """Start a created or stopped container."""
        with docker_errors(f"start container `{container_id[:12]}`"):
            try:
                self._client.start(container_id)
            except docker.errors.NotFound as exc:
                raise _no_container(container_id, exc) from exc
            except docker.errors.APIError as exc:
                if PORT_TAKEN.search(str(exc.explanation)):
                    raise PortTakenError("the port is in use", details=said(exc)) from exc
                if "marked for removal" in str(exc.explanation):
                    raise _no_container(container_id, exc) from exc
                raise

    def stop_container(self, container_id: str, *, grace_seconds: int = 10) -> None:
        """Stop a container, and kill it after the grace period."""
        with docker_errors(f"stop container `{container_id[:12]}`"):
            try:
                # The SDK adds the grace period to the timeout of the request.
                self._client.stop(container_id, timeout=grace_seconds)
            except docker.errors.NotFound as exc:
                raise _no_container(container_id, exc) from exc

    def remove_container(self, container_id: str, *, anonymous_volumes: bool = True) -> None:
        """Remove a container, running or not."""
        with docker_errors(f"remove container `{container_id[:12]}`"):
            try:
                self._client.remove_container(container_id, v=anonymous_volumes, force=True)
            except docker.errors.NotFound:
                return
            except docker.errors.APIError as exc:
                # The engine is already removing it (--rm); its name is free only after that.
                if exc.status_code != requests.codes.conflict or "already in progress" not in str(exc.explanation):
                    raise
                with contextlib.suppress(docker.errors.NotFound):
                    self._client.wait(container_id, condition="removed")

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
        """Read a container's output; unlike the SDK's method, this separates stdout and stderr."""
        doing = f"read the log of container `{container_id[:12]}`"
        with docker_errors(doing):
            try:
                container = self._client.inspect_container(container_id)
            except docker.errors.NotFound as exc:
                raise _no_container(container_id, exc) from exc
            client = self._connection.patient
            response = client.get(
                f"{client.base_url}/v{client.api_version}/containers/{container['Id']}/logs",
                params={
                    "stdout": str(int(only != "stderr")),
                    "stderr": str(int(only != "stdout")),
                    "follow": str(int(follow)),
                    "tail": "all" if tail is None else str(tail),
                    "since": "0" if since is None else f"{since.timestamp():.9f}",
                    "timestamps": str(int(timestamps)),
                },
                stream=True,
            )
        with docker_errors(doing), contextlib.closing(response):
            if not response.ok:
                raise EngineError(f"Docker could not {doing}", details=response.text.splitlines())
            received = response.iter_content(chunk_size=None)
            if container["Config"]["Tty"]:
                yield from (LogChunk("stdout", data) for data in received)
            else:
                yield from iter_log_chunks(received)


def _no_container(container_id: str, error: docker.errors.APIError) -> ContainerNotFoundError:
    return ContainerNotFoundError(f"Docker has no container `{container_id[:12]}`", details=said(error))
