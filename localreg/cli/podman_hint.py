"""Hints of `up` and `status` about the `podman` program, which refuses plain HTTP unless it is configured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from localreg.clients.podman.check import ask_podman
from localreg.clients.podman.registries_conf import find_permission
from localreg.clients.podman.search import OLD
from localreg.engines.values import EngineInfo
from localreg.errors import ConfigError
from localreg.registry.container import Registry
from localreg.registry.exposure import is_localhost_of_another
from localreg.registry.reboot import reboot_command

_REFUSAL = "refuses plain HTTP"


@dataclass(frozen=True, slots=True)
class PlainHttp:
    """Whether the `podman` program uses plain HTTP for a registry."""

    allowed_by: Path | None = None
    """The file that allows it."""
    trouble: str | None = None
    """Why localreg cannot tell."""
    is_allowed: bool = False
    """Podman says so, whichever file allows it."""
    obstacle: str = _REFUSAL
    """How its configuration keeps it from that, if it does."""

    def line(self, command: str) -> str:
        """One line for the user, with the `command` that allows plain HTTP."""
        if self.trouble:
            return self.trouble
        if self.allowed_by:
            return f"plain HTTP allowed by {self.allowed_by}"
        if self.is_allowed:
            return "plain HTTP allowed"
        effect = "allows it" if self.obstacle == _REFUSAL else "changes that"
        return f"{self.obstacle}; `{command} podman-fix` {effect}"


def find_plain_http(info: EngineInfo, registry: Registry | None) -> PlainHttp | None:
    """Find out whether `podman` can use a registry; None if no configuration of this machine is needed or helps."""
    location = None if registry is None else _plain_location(info, registry)
    if location is None:
        return None
    if _is_nameless(location):
        return PlainHttp(trouble="takes no IPv6 address in the name of an image")
    try:
        told = ask_podman([location])
    except ConfigError as exc:
        return PlainHttp(trouble=": ".join([exc.message, *exc.details]))
    obstacle = told and told.obstacles[location]
    if obstacle:
        return PlainHttp(obstacle=obstacle.removesuffix(f" for {location}"))
    try:
        allowed_by = find_permission(location, release=told.release if told else OLD)
    except ConfigError as exc:
        return PlainHttp(trouble=exc.message) if told is None else PlainHttp(is_allowed=True)
    return PlainHttp(allowed_by, is_allowed=told is not None)


def hint_for(info: EngineInfo, registry: Registry, command: str) -> str | None:
    """The hint after `up` if plain `podman push` would fail.

    Its files are read for it, without a run of Podman, which would take a good part of the time of `up`.
    """
    location = _plain_location(info, registry)
    if location is None or _is_nameless(location):
        return None
    release = info.version.partition(".")[0]
    try:
        allowed_by = find_permission(location, release=int(release) if release.isdigit() else OLD)
    except ConfigError:
        return None
    return None if allowed_by else f"run `{command} podman-fix` to use {location} with plain `podman push` as well"


def _plain_location(info: EngineInfo, registry: Registry) -> str | None:
    """The registry's location; None if Podman on this machine has no use for an entry about it."""
    is_of_use = info.name == "podman" and registry.speaks_plain_http and not is_localhost_of_another(registry)
    return registry.location if is_of_use else None


def _is_nameless(location: str) -> bool:
    """Podman takes it for no part of an image's name, whatever its configuration says."""
    return location.startswith("[")


def restart_hint(info: EngineInfo) -> str | None:
    """The command that starts the registry after a reboot, if the engine does not do that by itself."""
    command = reboot_command(info)
    return command and f"run `{command}` to start the registry again after a reboot"
