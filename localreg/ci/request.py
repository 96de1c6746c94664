"""A request for a pipeline, and the pipeline with defaults filled in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from localreg.ci.tunnels import OpenTunnel
from localreg.engines.values import EngineName
from localreg.errors import InvalidReferenceError, UsageError
from localreg.oci.reference import parse_reference, registry_reference
from localreg.system.address import Address
from localreg.system.command_line import CommandLine
from localreg.tunnels.spec import DEFAULT_REMOTE_PORT, LOOPBACK

System = Literal["bitbucket", "github", "gitlab", "shell"]

REGISTRY = f"localhost:{DEFAULT_REMOTE_PORT}"
"""The registry's address for the job's engine."""
_USER = r"(?:[A-Za-z0-9._%+\\][A-Za-z0-9._%+\\-]*@)?"
_NAME = r"[A-Za-z0-9._][A-Za-z0-9._-]*"
_IPV6 = r"[0-9A-Fa-f:]*:[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*(?:%[A-Za-z0-9]+)?"
_HOST = re.compile(rf"{_USER}(?:{_NAME}|{_IPV6})", re.ASCII)
_URL = re.compile(rf"ssh://{_USER}(?:{_NAME}|\[{_IPV6}\])(?::[0-9]+)?", re.ASCII)
"""Only a URL can have a port."""
USER = "ci"
"""The registry's user for pipelines."""
_LOGIN_NAME = re.compile(r"[A-Za-z0-9_.@-]+", re.ASCII)
_EXAMPLE = "ci@build.example.com"
_NOT_OF_A_NAME = re.compile(r"[^a-z0-9._/-]+")


@dataclass(frozen=True, slots=True)
class Request:
    """A pipeline as typed."""

    system: System
    engine: EngineName
    host: str | None = None
    repository: str | None = None
    remote_port: int | None = None
    user: str | None = None
    """The user of the registry to log in as; None for no login, unless the open tunnel's registry requires one."""
    tls: bool = False
    """The registry speaks TLS, as that of an open tunnel tells by itself."""

    def as_command(self) -> CommandLine:
        """The command that asks for it."""
        options = (
            ("--host", self.host),
            ("--image", self.repository),
            ("--remote-port", self.remote_port),
            ("--user", self.user),
            ("--engine", self.engine if self.engine != "docker" else None),
        )
        words = [word for option, value in options if value is not None for word in (option, str(value))]
        return CommandLine("ci", self.system, *words, *(["--tls"] if self.tls else []))


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A pipeline with all its values."""

    system: System
    engine: EngineName
    host: str
    """The host for the job's `ssh`."""
    remote: Address
    """The registry's address on that host."""
    tunnel_host: str
    """The developer's name for the host."""
    repository: str
    user: str | None = None
    """The user of the registry to log in as; None without a login."""
    tls: bool = False
    """The registry speaks TLS."""

    @property
    def image(self) -> str:
        """The image's name in the job, without a tag."""
        return f"{REGISTRY}/{self.repository}"

    @property
    def open_command(self) -> CommandLine:
        """The command that makes the registry available on the host."""
        port = [] if self.remote.port == DEFAULT_REMOTE_PORT else ["--remote-port", str(self.remote.port)]
        return CommandLine("tunnel", "open", self.tunnel_host, *port)


def plan_pipeline(request: Request, *, folder: str, tunnels: Sequence[OpenTunnel]) -> Pipeline:
    """Fill in the values that were not typed.

    Args:
        request: As typed.
        folder: The name of the current folder.
        tunnels: The open tunnels.

    Raises:
        UsageError: a value is invalid, or a missing one cannot be filled in.
    """
    if request.system == "bitbucket" and request.engine == "podman":
        raise UsageError(
            "Bitbucket Pipelines offers only Docker in a step, not Podman",
            hint=CommandLine(*replace(request, engine="docker").as_command().words, "--engine", "docker"),
        )
    if request.host is not None and not _is_host(request.host):
        as_url = f"ssh://{request.host}"
        raise UsageError(
            f"`{request.host}` is not a host that a pipeline can log in to",
            hint=replace(request, host=as_url if _is_host(as_url) else _EXAMPLE).as_command(),
        )
    tunnel = _tunnel_of(request, tunnels)
    user = request.user or (USER if tunnel.requires_login else None)
    if user is not None and not _LOGIN_NAME.fullmatch(user):
        raise UsageError(f"`{user}` is not a user name for a pipeline", hint=replace(request, user=USER).as_command())
    return Pipeline(
        request.system,
        request.engine,
        host=tunnel.login,
        remote=tunnel.remote,
        tunnel_host=tunnel.host,
        repository=_repository(request, folder),
        user=user,
        tls=request.tls or tunnel.tls,
    )


def _is_host(text: str) -> bool:
    """Whether `ssh` accepts it as a host."""
    return (_HOST.fullmatch(text) or _URL.fullmatch(text)) is not None


def _tunnel_of(request: Request, tunnels: Sequence[OpenTunnel]) -> OpenTunnel:
    """The requested tunnel, open or not."""
    meant = [
        tunnel
        for tunnel in tunnels
        if request.host is None or tunnel.is_at(request.host)
        if request.remote_port is None or tunnel.remote.port == request.remote_port
    ]
    if len(meant) == 1:
        return meant[0]
    if meant:
        first = meant[0]
        choice = replace(request, host=request.host or first.login, remote_port=first.remote.port)
        raise UsageError(f"{len(meant)} tunnels are open: choose one for the pipeline", hint=choice.as_command())
    if request.host is None:
        raise UsageError(
            "the pipeline needs a host, and no tunnel is open to take it from",
            hint=replace(request, host=_EXAMPLE).as_command(),
        )
    return OpenTunnel(request.host, request.host, Address(LOOPBACK, request.remote_port or DEFAULT_REMOTE_PORT))


def _repository(request: Request, folder: str) -> str:
    if request.repository is None:
        name = _suggestion(folder)
        if name is None:
            raise UsageError(
                "cannot derive an image name from the name of this folder",
                hint=replace(request, repository="app").as_command(),
            )
        return name
    try:
        reference = parse_reference(request.repository)
    except InvalidReferenceError as exc:
        # The message names the wrong part; the hint is the whole command.
        meant = replace(request, repository=_suggestion(request.repository) or "app")
        raise exc.with_(hint=meant.as_command()) from exc
    if reference.tag or reference.digest:
        raise UsageError(
            f"`{request.repository}` has a tag or a digest; the pipeline uses the commit and `latest` as tags",
            hint=replace(request, repository=reference.repository).as_command(),
        )
    return registry_reference(reference, registry=REGISTRY).repository


def _suggestion(text: str) -> str | None:
    """The most similar valid repository; None if there is none."""
    name = _NOT_OF_A_NAME.sub("-", text.lower())
    components = [component.strip("-._") for component in name.split("/")]
    found = "/".join(filter(None, components))
    try:
        return parse_reference(found).repository if found else None
    except InvalidReferenceError:
        # Two different separators in a row, or a name that is too long.
        return None
