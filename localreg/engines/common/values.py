"""Containers and images from Docker's API, which Podman also speaks, as localreg's values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from localreg.engines.common.ports import is_anonymous, published_port
from localreg.engines.values import (
    AnonymousMount,
    Container,
    ContainerState,
    Endpoint,
    HostPathMount,
    Image,
    Mount,
    PublishedPort,
    VolumeMount,
)

_STATES = {state.value: state for state in ContainerState} | {
    "dead": ContainerState.EXITED,
    "stopped": ContainerState.EXITED,
    "stopping": ContainerState.REMOVING,
    "configured": ContainerState.CREATED,
    "initialized": ContainerState.CREATED,
}
"""Docker's states, and Podman's additional ones."""

_RESTARTING = ("always", "unless-stopped", "on-failure")


def read_container(found: Mapping[str, Any], endpoint: Endpoint) -> Container:
    """Read `GET /containers/{id}/json`."""
    state = found["State"]
    status = _STATES.get(state["Status"], ContainerState.EXITED)
    is_over = status is ContainerState.EXITED
    return Container(
        id=found["Id"],
        name=found["Name"].removeprefix("/"),
        image=found["Config"]["Image"],
        state=status,
        labels=found["Config"].get("Labels") or {},
        ports=tuple(_ports(found, endpoint)),
        mounts=tuple(_mount(mount) for mount in found.get("Mounts") or ()),
        started_at=read_time(state.get("StartedAt")),
        finished_at=read_time(state.get("FinishedAt")),
        exit_code=state.get("ExitCode") if is_over else None,
        removes_itself=bool(found["HostConfig"].get("AutoRemove")),
        restarts=(found["HostConfig"].get("RestartPolicy") or {}).get("Name") in _RESTARTING,
        environment=dict(_variable(entry) for entry in found["Config"].get("Env") or ()),
        image_id=with_algorithm(found.get("Image") or ""),
        command=(found.get("Path") or "", *(found.get("Args") or ())),
        networks=tuple((found.get("NetworkSettings") or {}).get("Networks") or ()),
        user=found["Config"].get("User") or "",
    )


def _variable(entry: str) -> tuple[str, str]:
    name, _, value = entry.partition("=")
    return name, value


def _ports(found: Mapping[str, Any], endpoint: Endpoint) -> Iterator[PublishedPort]:
    """The ports that are bound while it is running, otherwise those it was created with.

    After a start that failed because a port was taken, Docker 29 runs a container without its ports. A container on the
    host's network has the ports that its image exposes.
    """
    if found["HostConfig"].get("NetworkMode") == "host":
        exposed = {**(found["Config"].get("ExposedPorts") or {}), **(found["NetworkSettings"].get("Ports") or {})}
        for number, _, protocol in (port.partition("/") for port in exposed):
            if protocol == "tcp":
                yield published_port(int(number), "", int(number), endpoint)
        return
    bound = found.get("NetworkSettings", {}).get("Ports")
    bindings = bound or ({} if found["State"]["Status"] == "running" else found["HostConfig"].get("PortBindings")) or {}
    for port, hosts in bindings.items():
        number, _, protocol = port.partition("/")
        for host in hosts or ():
            if protocol == "tcp" and str(host.get("HostPort") or "").isdigit():
                yield published_port(int(number), host.get("HostIp") or "", int(host["HostPort"]), endpoint)


def _mount(mount: Mapping[str, Any]) -> Mount:
    target = mount["Destination"]
    if mount["Type"] != "volume":
        return HostPathMount(mount.get("Source") or "", target)
    name = mount.get("Name") or ""
    return AnonymousMount(target) if is_anonymous(name) else VolumeMount(name, target)


def read_image(found: Mapping[str, Any]) -> Image:
    """Read `GET /images/{name}/json`."""
    platform = "/".join(filter(None, (found.get("Os"), found.get("Architecture"), found.get("Variant"))))
    image_id = found["Id"]
    return Image(
        id=with_algorithm(image_id),
        references=tuple(found.get("RepoTags") or ()),
        size=found.get("Size") or 0,
        created=read_time(found.get("Created")),
        platform=platform,
        labels=(found.get("Config") or {}).get("Labels") or {},
    )


def with_algorithm(image_id: str) -> str:
    """An image's ID as Docker spells it; releases of Podman differ."""
    return image_id if image_id.startswith("sha256:") else f"sha256:{image_id}"


def list_image(entry: Mapping[str, Any], *, size: int) -> Image:
    """Read the entry of a manifest list in `GET /images/json` of Podman.

    Args:
        entry: The entry.
        size: The bytes of its images.
    """
    return Image(
        id=f"sha256:{entry['Id']}",
        references=tuple(entry.get("RepoTags") or ()),
        size=size,
        created=datetime.fromtimestamp(entry["Created"], UTC) if entry.get("Created") else None,
        platform="",
        labels={},
    )


def read_time(text: str | None) -> datetime | None:
    """Read an RFC 3339 time with nanoseconds; the year 1 means never."""
    if not text or text.startswith("0001-"):
        return None
    return datetime.fromisoformat(text)
