"""What a pipeline is asked for, and what it is made of when not all of that was typed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from localreg.ci.tunnels import OpenTunnel
from localreg.command_line import CommandLine
from localreg.engines.values import EngineName
from localreg.errors import InvalidReferenceError, UsageError
from localreg.oci.reference import parse_reference, registry_reference
from localreg.system.address import Address
from localreg.tunnels.spec import DEFAULT_REMOTE_PORT, LOOPBACK

System = Literal["bitbucket", "github", "gitlab", "shell"]

REGISTRY = f"localhost:{DEFAULT_REMOTE_PORT}"
"""Where the job's engine finds the registry."""
_USER = r"(?:[A-Za-z0-9._%+\\][A-Za-z0-9._%+\\-]*@)?"
_NAME = r"[A-Za-z0-9._][A-Za-z0-9._-]*"
_IPV6 = r"[0-9A-Fa-f:]*:[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*(?:%[A-Za-z0-9]+)?"
_HOST = re.compile(rf"{_USER}(?:{_NAME}|{_IPV6})", re.ASCII)
_URL = re.compile(rf"ssh://{_USER}(?:{_NAME}|\[{_IPV6}\])(?::[0-9]+)?", re.ASCII)
"""Only here may a port stand."""
_EXAMPLE = "ci@build.example.com"
_NOT_OF_A_NAME = re.compile(r"[^a-z0-9._/-]+")


@dataclass(frozen=True, slots=True)
class Request:
    """What the user typed."""

    system: System
    engine: EngineName
    host: str | None = None
    repository: str | None = None
    remote_port: int | None = None

    def as_command(self) -> CommandLine:
        """How it is typed, as far as it is known."""
        options = (
            ("--host", self.host),
            ("--image", self.repository),
            ("--remote-port", self.remote_port),
            ("--engine", self.engine if self.engine != "docker" else None),
        )
        words = [word for option, value in options if value is not None for word in (option, str(value))]
        return CommandLine("ci", self.system, *words)


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What a pipeline is made of."""

    system: System
    engine: EngineName
    host: str
    """What the job's `ssh` is given."""
    remote: Address
    """Where the registry answers there."""
    tunnel_host: str
    """What the developer calls the host."""
    repository: str

    @property
    def image(self) -> str:
        """The image's name in the job, without a tag."""
        return f"{REGISTRY}/{self.repository}"

    @property
    def open_command(self) -> CommandLine:
        """What the developer types so that the registry answers there."""
        port = [] if self.remote.port == DEFAULT_REMOTE_PORT else ["--remote-port", str(self.remote.port)]
        return CommandLine("tunnel", "open", self.tunnel_host, *port)


def plan_pipeline(request: Request, *, folder: str, tunnels: Sequence[OpenTunnel]) -> Pipeline:
    """Fill in what was not typed.

    Args:
        request: What was typed.
        folder: The current folder's own name.
        tunnels: The tunnels that are open.

    Raises:
        UsageError: a value is none, or one is missing and nothing says which is meant.
    """
    if request.system == "bitbucket" and request.engine == "podman":
        raise UsageError(
            "a step of Bitbucket Pipelines gets a Docker daemon as a service, and nothing that Podman could use",
            hint=CommandLine(*replace(request, engine="docker").as_command().words, "--engine", "docker"),
        )
    if request.host is not None and not _is_host(request.host):
        as_url = f"ssh://{request.host}"
        raise UsageError(
            f"`{request.host}` is no host that a pipeline can log in to",
            hint=replace(request, host=as_url if _is_host(as_url) else _EXAMPLE).as_command(),
        )
    tunnel = _tunnel_of(request, tunnels)
    return Pipeline(
        request.system,
        request.engine,
        host=tunnel.login,
        remote=tunnel.remote,
        tunnel_host=tunnel.host,
        repository=_repository(request, folder),
    )


def _is_host(text: str) -> bool:
    """Whether `ssh` takes it for one."""
    return (_HOST.fullmatch(text) or _URL.fullmatch(text)) is not None


def _tunnel_of(request: Request, tunnels: Sequence[OpenTunnel]) -> OpenTunnel:
    """The tunnel that is meant, be it open or not."""
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
        raise UsageError(f"{len(meant)} tunnels are open: say which the pipeline is for", hint=choice.as_command())
    if request.host is None:
        raise UsageError(
            "no tunnel is open that says which host the pipeline is for",
            hint=replace(request, host=_EXAMPLE).as_command(),
        )
    return OpenTunnel(request.host, request.host, Address(LOOPBACK, request.remote_port or DEFAULT_REMOTE_PORT))


def _repository(request: Request, folder: str) -> str:
    if request.repository is None:
        name = _suggestion(folder)
        if name is None:
            raise UsageError(
                "nothing in the name of this folder can be an image's name",
                hint=replace(request, repository="app").as_command(),
            )
        return name
    try:
        reference = parse_reference(request.repository)
    except InvalidReferenceError as exc:
        # Which part, and of what, is said; what to type is the whole command.
        meant = replace(request, repository=_suggestion(request.repository) or "app")
        raise exc.with_(hint=meant.as_command()) from exc
    if reference.tag or reference.digest:
        raise UsageError(
            f"`{request.repository}` has a tag or a digest; the pipeline gives the commit for a tag, and `latest`",
            hint=replace(request, repository=reference.repository).as_command(),
        )
    return registry_reference(reference, registry=REGISTRY).repository


def _suggestion(text: str) -> str | None:
    """The repository that comes nearest, if anything does."""
    name = _NOT_OF_A_NAME.sub("-", text.lower())
    components = [component.strip("-._") for component in name.split("/")]
    found = "/".join(filter(None, components))
    try:
        return parse_reference(found).repository if found else None
    except InvalidReferenceError:
        # Two different separators in a row, or too long a name.
        return None
