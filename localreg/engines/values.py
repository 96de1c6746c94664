"""The values of the ports to a container engine, none of which is an SDK's object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from localreg.engines.plain_http import PlainHttp
from localreg.system.address import Address, without_password

EngineName = Literal["docker", "podman"]


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """TLS files of a connection to an engine, from a Docker context or `DOCKER_CERT_PATH`."""

    ca_certificate: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    skip_verify: bool = False


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The address of an engine."""

    url: str
    """`unix:///path`, `tcp://host:port` or `ssh://user@host`."""
    context: str | None = None
    """The Docker context, or the Podman connection, that it comes from."""
    tls: TlsFiles | None = None
    identity: Path | None = None
    """The key for ssh, if the connection names one."""
    private: bool = False
    """localreg started the service at this address."""
    is_machine: bool = False
    """The engine is in a virtual machine on this machine, which forwards its ports to this machine's loopback."""
    host: str | None = None
    """Its machine's name on the network, if the URL may have an alias from `ssh_config`."""

    @property
    def socket(self) -> str | None:
        """The path of a Unix socket; None for other addresses."""
        return self.url.removeprefix("unix://") if self.url.startswith("unix://") else None

    @property
    def is_ssh(self) -> bool:
        """The engine is reached over ssh."""
        return self.url.startswith("ssh://")

    @property
    def shown(self) -> str:
        """The URL as it can be shown."""
        return without_password(self.url)

    @property
    def is_remote(self) -> bool:
        """The engine is on another machine."""
        if self.socket is not None or self.is_machine:
            return False
        parts = urlsplit(self.url)
        return self.is_ssh or not Address(parts.hostname or "", parts.port or 0).is_loopback


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """Facts about an engine with all differences between engines, so that callers need not ask for its name."""

    name: EngineName
    version: str
    endpoint: str
    """Its URL, such as `unix:///var/run/docker.sock`."""
    context: str | None = None
    """The Docker context, or the Podman connection, that the endpoint comes from."""
    rootless: bool = False
    remote: bool = False
    """It runs on another machine, so its loopback is not this machine's."""
    host: str | None = None
    """The name of that machine on the network."""
    private: bool = False
    """localreg started its service, because Podman had no socket."""
    restarts_containers: bool = False
    """It restarts containers that have a restart policy after a reboot."""
    loads_oci_archives: bool = False
    """`load_archive` accepts OCI archives as well as docker-archives."""
    pushes_may_stick: bool = False
    """A push can hang forever although the engine responds."""
    plain_http: PlainHttp | None = None
    """Its rules for plain HTTP; None if it uses that whenever it is told to."""

    @property
    def joins_networks_when_created(self) -> bool:
        """A container joins networks only when it is created, because otherwise it is in one of its own."""
        return self.rootless and self.name == "podman"

    @property
    def shown_endpoint(self) -> str:
        """Its URL as it can be shown."""
        return without_password(self.endpoint)


@dataclass(frozen=True, slots=True)
class PublishedPort:
    """A container's TCP port and its addresses."""

    container_port: int
    bound: Address
    """The bound address on the engine's machine, which can be a wildcard."""
    from_host: Address | None
    """Its address for this machine; None if out of reach (on the loopback of a remote engine)."""


@dataclass(frozen=True, slots=True)
class VolumeMount:
    """A named volume."""

    volume: str
    target: str


@dataclass(frozen=True, slots=True)
class HostPathMount:
    """A folder on the engine's machine, or in its memory."""

    path: str
    """Empty for one in memory (`tmpfs`), which ends with the container."""
    target: str


@dataclass(frozen=True, slots=True)
class AnonymousMount:
    """A volume that the engine named and that is deleted with the container."""

    target: str


Mount = VolumeMount | HostPathMount | AnonymousMount


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """A container to create."""

    name: str
    image: str
    """A reference or an ID that the engine has; creating a container never pulls."""
    container_port: int = 0
    publish: Address | None = None
    """The address on the engine's machine to publish on: a numeric IP and a port above 0. None publishes nothing."""
    mount: VolumeMount | HostPathMount | AnonymousMount | None = None
    """None for no other mounts than those of `volumes_from`; some engines add those that the image declares."""
    labels: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Can contain secrets, so it is not in the `repr`."""
    restart: bool = False
    """Restart it with the engine and after a crash, until you stop it (`unless-stopped`)."""
    remove_when_stopped: bool = False
    """The engine removes it and its anonymous volumes when it stops. Excludes `restart`."""
    volumes_from: str | None = None
    """The ID of a container, running or not, whose mounts this one also has, at the same places."""
    command: tuple[str, ...] = ()
    """A program of the image and its arguments, instead of the image's own."""
    networks: tuple[str, ...] = ()
    """Networks that it joins as well as the engine's usual one."""
    user: str = ""
    """`USER[:GROUP]`, names or numbers, that its program runs as; empty for the image's own."""


class ContainerState(StrEnum):
    """The state of a container, as the engines name it."""

    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    RESTARTING = "restarting"
    REMOVING = "removing"
    EXITED = "exited"


@dataclass(frozen=True, slots=True)
class Container:
    """A container as the engine describes it."""

    id: str
    """64 hexadecimal digits."""
    name: str
    image: str
    """The reference or ID that it was created from."""
    state: ContainerState
    labels: Mapping[str, str]
    ports: tuple[PublishedPort, ...]
    mounts: tuple[Mount, ...]
    started_at: datetime | None
    """Aware; None if it never ran. Its log can begin a moment earlier."""
    finished_at: datetime | None
    """Aware; when it last ended, even if it is running again; None if it never ended, as far as the engine knows."""
    exit_code: int | None
    """The exit code; None if it is running or never ran."""
    removes_itself: bool = False
    """The engine removes it and its anonymous volumes when it stops."""
    restarts: bool = False
    """It has a restart policy, by which its engine starts it again after a crash."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Includes the variables of its image. Can contain secrets, so it is not in the `repr`."""
    image_id: str = ""
    """`sha256:` and 64 hexadecimal digits; its image, even if the reference has moved."""
    command: tuple[str, ...] = field(default=(), repr=False)
    """Its program and arguments, with the image's. Can contain secrets, as the environment."""
    networks: tuple[str, ...] = ()
    """The names of the networks that it is in, as far as the engine knows while it is stopped."""
    user: str = ""
    """`USER[:GROUP]`, names or numbers, that its program runs as; empty for root."""

    @property
    def is_running(self) -> bool:
        """It is running, or the engine is restarting it."""
        return self.state in (ContainerState.RUNNING, ContainerState.RESTARTING)


@dataclass(frozen=True, slots=True)
class Image:
    """An image in an engine's store."""

    id: str
    """`sha256:` and 64 hexadecimal digits."""
    references: tuple[str, ...]
    """All its tags, as the engine spells them."""
    size: int
    """Bytes on disk, as the engine counts them."""
    created: datetime | None
    platform: str
    """`os/architecture`, or `os/architecture/variant`."""
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Volume:
    """A named volume."""

    name: str
    labels: Mapping[str, str]
    path: str | None = None
    """Its folder on the engine's machine, if the engine tells it."""


Stream = Literal["stdout", "stderr"]
"""Where a container writes."""


@dataclass(frozen=True, slots=True)
class LogChunk:
    """Bytes of a container's output; can end in the middle of a line or of a character."""

    stream: Stream
    data: bytes


class TransferState(StrEnum):
    """The state of one layer of a push or a pull."""

    WAITING = "waiting"
    RUNNING = "running"
    RETRYING = "trying again"
    """It failed, and the engine waits before the next attempt."""
    DONE = "done"
    EXISTS = "already there"


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of a push or a pull."""

    layer: str | None = None
    """The layer's short ID (12 hexadecimal digits); None if the step is not about a single layer."""
    state: TransferState = TransferState.RUNNING
    current: int | None = None
    """Bytes done; never above `total`."""
    total: int | None = None
    """Bytes in total; None if the engine does not report it."""
    digest: str | None = None
    """The digest of the manifest, if the engine reports it; comes once, at the end."""
    index: str | None = None
    """The digest of the index that was to be pushed, if the engine pushes only one of its images."""
