"""The values that the ports to a container engine speak: localreg's own, no SDK object among them.

What differs between engines is data in `EngineInfo`, so no caller asks for an engine's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from localreg.system.address import Address

EngineName = Literal["docker", "podman"]


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """What a Docker context or `DOCKER_CERT_PATH` says about TLS to the engine."""

    ca_certificate: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    skip_verify: bool = False


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an engine answers."""

    url: str
    """`unix:///path`, `tcp://host:port` or `ssh://user@host`."""
    context: str | None = None
    """The Docker context that named it."""
    tls: TlsFiles | None = None
    private: bool = False
    """localreg started the service that answers there."""
    is_machine: bool = False
    """It is in a virtual machine of this machine; its ports are forwarded to this machine's loopback."""

    @property
    def socket(self) -> str | None:
        """The path of a Unix socket; None for any other kind."""
        return self.url.removeprefix("unix://") if self.url.startswith("unix://") else None

    @property
    def is_ssh(self) -> bool:
        """It is reached through `ssh`."""
        return self.url.startswith("ssh://")

    @property
    def is_remote(self) -> bool:
        """It is on another machine."""
        if self.socket is not None:
            return False
        parts = urlsplit(self.url)
        return self.is_ssh or not Address(parts.hostname or "", parts.port or 0).is_loopback


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What is worth knowing about an engine; all differences between engines are here."""

    name: EngineName
    version: str
    endpoint: str
    """The URL it answers on, such as `unix:///var/run/docker.sock`."""
    context: str | None = None
    """The Docker context that named the endpoint."""
    rootless: bool = False
    remote: bool = False
    """It runs on another machine: its loopback is not ours."""
    private: bool = False
    """localreg started the service that answers, because the engine's program had no socket."""
    plain_http_on_loopback: bool = False
    """Its own program talks plain HTTP to a registry on loopback without being told to."""
    restarts_containers: bool = False
    """It starts a container with a restart policy again by itself when it comes up after a reboot."""
    loads_oci_archives: bool = False
    """`load_archive` takes an OCI archive as well as a docker-archive."""
    may_stand_still: bool = False
    """A push may go no further, for ever, although the engine answers."""


@dataclass(frozen=True, slots=True)
class PublishedPort:
    """A container's TCP port and where it can be reached."""

    container_port: int
    bound: Address
    """What it is bound to, on the machine that the engine runs on; may be a wildcard."""
    from_host: Address | None
    """How this machine reaches it; None where it cannot (the loopback of a remote engine)."""


@dataclass(frozen=True, slots=True)
class VolumeMount:
    """A named volume."""

    volume: str
    target: str


@dataclass(frozen=True, slots=True)
class HostPathMount:
    """A folder of the machine that the engine runs on."""

    path: str
    target: str


@dataclass(frozen=True, slots=True)
class AnonymousMount:
    """A volume that the engine named and that goes with the container."""

    target: str


Mount = VolumeMount | HostPathMount | AnonymousMount


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """A container to create."""

    name: str
    image: str
    """A reference or an ID that the engine already has; creating never pulls."""
    container_port: int
    publish: Address
    """Where on the engine's machine the port is published; a numeric IP and a port above 0."""
    mount: VolumeMount | HostPathMount | AnonymousMount
    labels: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """May hold secrets, so it is in no `repr`."""
    restart: bool = False
    """Start it again with the engine and after a crash, until it is stopped by hand (`unless-stopped`)."""
    remove_when_stopped: bool = False
    """The engine removes it, with its anonymous volumes, when it stops. Excludes `restart`."""


_START_TAKES = timedelta(seconds=30)
"""A container may write for so long before its engine counts it as started. Of one that ended with the machine, Podman
does not know when that was."""


class ContainerState(StrEnum):
    """What a container is doing, in the engines' own words."""

    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    RESTARTING = "restarting"
    REMOVING = "removing"
    EXITED = "exited"


@dataclass(frozen=True, slots=True)
class Container:
    """A container as the engine describes it now."""

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
    """Aware; None when it never ran. It may have begun to write its log a moment before."""
    finished_at: datetime | None
    """Aware; when it last ended, as far as its engine knows, also while it runs again; None when it never did."""
    exit_code: int | None
    """None while it runs and when it never ran."""
    removes_itself: bool = False
    """The engine removes it, with its anonymous volumes, when it stops."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """With the variables of its image. May hold secrets, so it is in no `repr`."""

    @property
    def is_running(self) -> bool:
        """It runs, or is about to again."""
        return self.state in (ContainerState.RUNNING, ContainerState.RESTARTING)

    @property
    def log_began_at(self) -> datetime | None:
        """Aware; since when the log is of this run, not of the one before; None where it never ran.

        Engines put down the last lines of a run a little after its end, and the first a little before its start.
        """
        started, ended = self.started_at, self.finished_at
        if started is None or (ended is not None and ended > started):
            # Of a run that has ended it is not known when the one before it did.
            return started
        earliest = started - _START_TAKES
        return earliest if ended is None else max(ended + (started - ended) / 2, earliest)


@dataclass(frozen=True, slots=True)
class Image:
    """An image in an engine's store."""

    id: str
    """`sha256:` and 64 hexadecimal digits."""
    references: tuple[str, ...]
    """Every name with a tag it has, as the engine spells them."""
    size: int
    """Bytes on disk, as the engine counts them."""
    created: datetime | None
    platform: str
    """`os/architecture`, with `/variant` where there is one."""
    labels: Mapping[str, str]
    is_manifest: bool = False
    """Its ID is the digest of its manifest, as with Docker's containerd image store, and not of its configuration."""


@dataclass(frozen=True, slots=True)
class Volume:
    """A named volume."""

    name: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class LogChunk:
    """Bytes of a container's output, as they came; may end in the middle of a line or of a character."""

    stream: Literal["stdout", "stderr"]
    data: bytes


class TransferState(StrEnum):
    """What happens to one layer of a push or a pull."""

    WAITING = "waiting"
    RUNNING = "running"
    RETRYING = "trying again"
    """It failed, and the engine waits before it tries once more."""
    DONE = "done"
    EXISTS = "already there"


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of a push or a pull."""

    layer: str | None = None
    """The layer's short ID (12 hexadecimal digits), as the engine names it; None when the step is of no one layer."""
    state: TransferState = TransferState.RUNNING
    current: int | None = None
    """Bytes done; never above `total`."""
    total: int | None = None
    """Bytes in all; None where the engine does not say."""
    digest: str | None = None
    """The digest of the manifest, where the engine says it: comes once, at the end."""
