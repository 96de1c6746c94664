"""Podman, through podman-py: its managers where they are right, its HTTP client where they lose what Podman says."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import podman
import podman.errors
import requests.exceptions
import urllib3.exceptions

from localreg.engines.base import (
    AnonymousMount,
    Container,
    ContainerSpec,
    Endpoint,
    EngineInfo,
    HostPathMount,
    Image,
    LogChunk,
    Progress,
    Volume,
    VolumeMount,
)
from localreg.engines.compat_events import iter_pull
from localreg.engines.compat_values import read_container, read_image
from localreg.engines.log_frames import iter_log_chunks
from localreg.engines.podman_events import iter_transfer
from localreg.engines.published import PORT_TAKEN, is_anonymous
from localreg.engines.transfer_errors import transfer_error
from localreg.errors import (
    ContainerNotFoundError,
    EngineError,
    EngineLostError,
    ImageNotFoundError,
    InUseError,
    InvalidArchiveError,
    LocalregError,
    NameTakenError,
    PortTakenError,
)

_REQUEST_SECONDS = 30
_NEVER = 365 * 24 * 3600.0
"""Podman-py takes no time-out for its default; a year is none."""
_LOG_BYTES = 10_000_000
_FIRST_WITH_PULL_BYTES = (4, 8)


class PodmanEngine:
    """A Podman service."""

    def __init__(self, client: podman.PodmanClient, endpoint: Endpoint, info: EngineInfo) -> None:
        self._client = client
        self._endpoint = endpoint
        self._info = info

    @classmethod
    def open(cls, endpoint: Endpoint) -> Self:
        """Connect to the service that answers on an endpoint."""
        with podman_errors("connect"):
            try:
                client = podman.PodmanClient(base_url=endpoint.url, timeout=_REQUEST_SECONDS)
            except Exception as exc:  # the constructor reads containers.conf, and fails on it in many ways
                raise EngineError("podman-py cannot read Podman's configuration", details=[str(exc)]) from exc
            client.api.trust_env = endpoint.is_remote
            version = _get(client, "/version", compatible=True).json()["Version"]
            rootless = _is_rootless(client, endpoint)
        info = EngineInfo(
            name="podman",
            version=version,
            endpoint=endpoint.url,
            rootless=rootless,
            remote=endpoint.is_remote,
            private=endpoint.private,
            loads_oci_archives=True,
        )
        return cls(client, endpoint, info)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections: an idle service counts them."""
        self._client.close()  # type: ignore[no-untyped-call]  # podman-py has no types

    def info(self) -> EngineInfo:
        """What this engine is."""
        return self._info

    def find_container(self, name: str) -> Container | None:
        """The container of exactly this name or ID."""
        with podman_errors(f"look for container `{name}`"):
            try:
                found = _get(self._client, f"/containers/{_path(name)}/json", compatible=True).json()
            except podman.errors.APIError as exc:
                # One that goes away at this moment is a 500 to Podman.
                if isinstance(exc, podman.errors.NotFound) or "no such container" in " ".join(_said(exc)):
                    return None
                raise
        container = read_container(found, self._endpoint)
        return container if name in (container.name, container.id) else None

    def list_containers(self) -> list[Container]:
        """Every container, running or not."""
        with podman_errors("list containers"):
            ids = [entry["Id"] for entry in _get(self._client, "/containers/json", params={"all": "true"}).json()]
        found = (self.find_container(container_id) for container_id in ids)
        return [container for container in found if container is not None]

    def create_container(self, spec: ContainerSpec) -> Container:
        """Create a container without starting it."""
        with podman_errors(f"create container `{spec.name}`"):
            try:
                created = self._client.containers.create(spec.image, None, **self._options(spec))
            except podman.errors.APIError as exc:
                said = " ".join(_said(exc))
                if isinstance(exc, podman.errors.ImageNotFound) or "image not known" in said:
                    raise ImageNotFoundError(f"Podman has no image `{spec.image}`", details=_said(exc)) from exc
                if "already in use" in said:
                    raise NameTakenError(f"there is a container `{spec.name}` already", details=_said(exc)) from exc
                raise
        container = self.find_container(created.id)
        if container is None:
            raise ContainerNotFoundError(f"container `{spec.name}` was removed right after it was created")
        return container

    def _options(self, spec: ContainerSpec) -> dict[str, Any]:
        """The container as podman-py's keywords."""
        restart: dict[str, Any] = {"restart_policy": {"Name": "unless-stopped"}} if spec.restart else {}
        return {
            "name": spec.name,
            "environment": dict(spec.environment),
            "labels": dict(spec.labels),
            "ports": {f"{spec.container_port}/tcp": (spec.publish.host, spec.publish.port)},
            "volumes": self._volumes(spec),
            "auto_remove": spec.remove_when_stopped,
            # Journald, where it is the default, does not keep bytes as they are.
            "log_config": {"Type": "k8s-file", "Config": {"size": _LOG_BYTES}},
            **restart,
        }

    def _volumes(self, spec: ContainerSpec) -> dict[str, dict[str, str]]:
        match spec.mount:
            case VolumeMount(volume=source, target=target):
                return {source: {"bind": target, "mode": "rw"}}
            case HostPathMount(path=source, target=target):
                return {source: {"bind": target, "mode": "Z" if self._has_selinux() else "rw"}}
            case AnonymousMount():
                # The registry's image declares the folder a volume.
                return {}

    def _has_selinux(self) -> bool:
        about = _get(self._client, "/info").json()
        return bool(about.get("host", {}).get("security", {}).get("selinuxEnabled"))

    def start_container(self, container_id: str) -> None:
        """Start a created or stopped container."""
        with podman_errors(f"start container `{container_id[:12]}`"):
            try:
                self._post(f"/containers/{_path(container_id)}/start")
            except podman.errors.NotFound as exc:
                raise _no_container(container_id, exc) from exc
            except podman.errors.APIError as exc:
                if PORT_TAKEN.search(" ".join(_said(exc))):
                    raise PortTakenError("the port is taken", details=_said(exc)) from exc
                raise

    def stop_container(self, container_id: str, *, grace_seconds: int = 10) -> None:
        """Ask it to stop, kill it after the grace."""
        with podman_errors(f"stop container `{container_id}`"):
            try:
                self._post(
                    f"/containers/{_path(container_id)}/stop",
                    params={"timeout": str(grace_seconds)},
                    timeout=grace_seconds + _REQUEST_SECONDS,
                )
            except podman.errors.NotFound as exc:
                raise _no_container(container_id, exc) from exc

    def remove_container(self, container_id: str, *, anonymous_volumes: bool = True) -> None:
        """Remove it, running or not."""
        with podman_errors(f"remove container `{container_id}`"):
            volumes = self._anonymous_volumes(container_id) if anonymous_volumes else []
            self._delete(
                f"/containers/{_path(container_id)}",
                # Whoever wants a graceful end stops it first.
                params={"force": "true", "timeout": "0", "v": "true" if anonymous_volumes else "false"},
            )
            for volume in volumes:
                # Podman's own removal of a container that removes itself may win, and it forgets them.
                with contextlib.suppress(podman.errors.APIError):
                    self._delete(f"/volumes/{volume}")

    def _anonymous_volumes(self, container_id: str) -> list[str]:
        try:
            found = _get(self._client, f"/containers/{_path(container_id)}/json", compatible=True).json()
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
    ) -> Iterator[LogChunk]:
        """Iterate over its output, stdout and stderr apart, which podman-py does not keep."""
        params = {
            "stdout": "true",
            "stderr": "true",
            "follow": str(follow).lower(),
            "timestamps": str(timestamps).lower(),
            **({} if tail is None else {"tail": str(tail)}),
            **({} if since is None else {"since": since.isoformat()}),
        }
        with podman_errors(f"read the log of container `{container_id}`"):
            try:
                response = _get(
                    self._client,
                    f"/containers/{_path(container_id)}/logs",
                    params=params,
                    stream=True,
                    timeout=_NEVER if follow else _REQUEST_SECONDS,
                )
            except podman.errors.NotFound as exc:
                raise _no_container(container_id, exc) from exc
            with contextlib.closing(response):
                yield from iter_log_chunks(response.iter_content(chunk_size=None))

    def find_volume(self, name: str) -> Volume | None:
        """The volume of exactly this name; Podman would take the start of one."""
        with podman_errors(f"look for volume `{name}`"):
            try:
                volume = _volume(_get(self._client, f"/volumes/{_path(name)}/json").json())
            except podman.errors.NotFound:
                return None
        return volume if volume.name == name else None

    def list_volumes(self) -> list[Volume]:
        """Every volume, anonymous ones included."""
        with podman_errors("list volumes"):
            return [_volume(entry) for entry in _get(self._client, "/volumes/json").json() or ()]

    def create_volume(self, name: str, labels: Mapping[str, str]) -> Volume:
        """Create it; one that exists, which Podman refuses to create, is returned as it is."""
        with podman_errors(f"create volume `{name}`"):
            try:
                body = json.dumps({"Name": name, "Labels": dict(labels)})
                return _volume(self._post("/volumes/create", data=body).json())
            except podman.errors.APIError:
                existing = self.find_volume(name)
                if existing is None:
                    raise
                return existing

    def remove_volume(self, name: str) -> None:
        """Remove it with its data."""
        if self.find_volume(name) is None:
            return
        with podman_errors(f"remove volume `{name}`"):
            try:
                self._delete(f"/volumes/{_path(name)}")
            except podman.errors.APIError as exc:
                if exc.status_code == requests.codes.conflict:
                    raise InUseError(f"volume `{name}` is in use", details=_said(exc)) from exc
                raise

    def find_image(self, reference: str) -> Image | None:
        """The image that Podman resolves this to."""
        with podman_errors(f"look for image `{reference}`"):
            try:
                return read_image(_get(self._client, f"/images/{_path(reference)}/json").json())
            except podman.errors.NotFound:
                return None

    def list_images(self) -> list[Image]:
        """Every image that has a name."""
        with podman_errors("list images"):
            ids = [entry["Id"] for entry in _get(self._client, "/images/json").json() if entry.get("RepoTags")]
        found = (self.find_image(image_id) for image_id in ids)
        return [image for image in found if image is not None and image.references]

    def load_archive(self, archive: Path) -> tuple[Image, ...]:
        """Load a docker-archive or an OCI archive, streamed from disk."""
        with podman_errors(f"load `{archive}`"), archive.open("rb") as data:
            try:
                names = self._post("/images/load", data=data, timeout=_NEVER).json().get("Names") or ()
            except podman.errors.APIError as exc:
                if exc.response is None:
                    raise
                raise InvalidArchiveError(f"Podman finds no image in `{archive}`", details=_said(exc)) from exc
        images = tuple(image for image in map(self.find_image, names) if image is not None)
        if not images:
            raise InvalidArchiveError(f"Podman finds no image in `{archive}`")
        return images

    def tag_image(self, image: str, reference: str) -> None:
        """Give an image one more name."""
        repository, _, tag = reference.rpartition(":")
        with podman_errors(f"tag image `{image}`"):
            try:
                self._post(f"/images/{_path(image)}/tag", params={"repo": repository, "tag": tag})
            except podman.errors.NotFound as exc:
                raise ImageNotFoundError(f"Podman has no image `{image}`", details=_said(exc)) from exc

    def untag_image(self, reference: str) -> None:
        """Take this name away; by its name, since by its ID the image would go with all its names."""
        with podman_errors(f"untag image `{reference}`"):
            self._delete(f"/images/{_path(reference)}")

    def push_image(self, reference: str, *, plain_http: bool) -> Iterator[Progress]:
        """Push the image of that name."""
        params = {"quiet": "false", **({"tlsVerify": "false"} if plain_http else {})}
        yield from self._transfer(f"/images/{_path(reference)}/push", params, reference)

    def pull_image(self, reference: str, *, plain_http: bool) -> Iterator[Progress]:
        """Pull an image."""
        params = {"reference": reference, **({"tlsVerify": "false"} if plain_http else {})}
        if _version(self._info.version) >= _FIRST_WITH_PULL_BYTES:
            params["compatMode"] = "true"
        yield from self._transfer("/images/pull", params, reference)

    def _transfer(self, path: str, params: Mapping[str, str], reference: str) -> Iterator[Progress]:
        with podman_errors(f"move `{reference}`"):
            try:
                response = self._post(path, params=params, stream=True, timeout=_NEVER)
            except podman.errors.APIError as exc:
                if exc.response is None:
                    raise
                raise transfer_error(reference, "\n".join(_said(exc))) from exc
            with contextlib.closing(response):
                if params.get("compatMode"):
                    yield from iter_pull(map(json.loads, filter(None, response.iter_lines())), reference)
                else:
                    yield from iter_transfer(response.iter_lines(), reference)

    def _post(self, path: str, **options: Any) -> Any:
        response = self._client.api.post(path, **options)
        response.raise_for_status()
        return response

    def _delete(self, path: str, **options: Any) -> None:
        with contextlib.suppress(podman.errors.NotFound):
            self._client.api.delete(path, **options).raise_for_status()


def _get(client: podman.PodmanClient, path: str, **options: Any) -> Any:
    response = client.api.get(path, **options)
    response.raise_for_status()
    return response


def _is_rootless(client: podman.PodmanClient, endpoint: Endpoint) -> bool:
    """Told by the owner of the socket; asking Podman takes a quarter of a second."""
    if endpoint.socket is not None and not endpoint.is_machine:
        return Path(endpoint.socket).stat().st_uid != 0
    return bool(_get(client, "/info").json()["host"]["security"]["rootless"])


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.partition("-")[0].split(".") if part.isdigit())


@contextlib.contextmanager
def podman_errors(doing: str) -> Iterator[None]:
    """Turn what podman-py and its HTTP libraries raise into errors of ours.

    Args:
        doing: What was tried, as it follows "could not".
    """
    try:
        yield
    except LocalregError:
        raise
    except podman.errors.APIError as exc:
        # Podman-py raises the same when the service refuses and when it cannot be reached.
        if exc.response is None:
            raise _lost(doing, exc) from exc
        raise EngineError(f"Podman could not {doing}", details=_said(exc)) from exc
    except (
        podman.errors.PodmanError,
        requests.exceptions.RequestException,
        urllib3.exceptions.HTTPError,
        json.JSONDecodeError,
    ) as exc:
        raise _lost(doing, exc) from exc


def _lost(doing: str, error: BaseException) -> EngineLostError:
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return EngineLostError(f"lost Podman while trying to {doing}", details=[str(error)])


def _said(error: podman.errors.APIError) -> list[str]:
    """Podman's message; the cause that podman-py puts first is often only its last words."""
    return str(error.explanation or error).splitlines()


def _no_container(container_id: str, error: podman.errors.APIError) -> ContainerNotFoundError:
    return ContainerNotFoundError(f"Podman has no container `{container_id}`", details=_said(error))


def _path(name: str) -> str:
    return quote(name, safe="")


def _volume(entry: Mapping[str, Any]) -> Volume:
    return Volume(entry["Name"], entry.get("Labels") or {})
