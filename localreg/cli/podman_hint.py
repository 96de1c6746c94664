"""What `up` and `status` say about the `podman` program, which refuses plain HTTP until it is told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from localreg.clients.podman.registries_conf import find_permission
from localreg.engines.values import EngineInfo
from localreg.errors import ConfigError
from localreg.registry.container import Registry


@dataclass(frozen=True, slots=True)
class PlainHttp:
    """Whether the `podman` program uses plain HTTP for a registry."""

    allowed_by: Path | None = None
    """The file that says so."""
    trouble: str | None = None
    """Why that cannot be told."""

    def line(self, command: str) -> str:
        """In words, with the `command` that changes it."""
        if self.trouble:
            return self.trouble
        if self.allowed_by:
            return f"plain HTTP allowed by {self.allowed_by}"
        return f"refuses plain HTTP; `{command} podman-fix` allows it"


def find_plain_http(info: EngineInfo, registry: Registry | None) -> PlainHttp | None:
    """What the program does about a registry; None where it needs not to be told."""
    if info.plain_http_on_loopback or registry is None or registry.location is None:
        return None
    try:
        return PlainHttp(find_permission(registry.location))
    except ConfigError as exc:
        return PlainHttp(trouble=exc.message)


def hint_for(info: EngineInfo, registry: Registry, command: str) -> str | None:
    """What to say after `up` where plain `podman push` would fail."""
    found = find_plain_http(info, registry)
    if found is None or found.trouble or found.allowed_by:
        return None
    return f"`{command} podman-fix` lets plain `podman push` use {registry.location}, too"


def restart_hint(info: EngineInfo) -> str | None:
    """What has the registry back after a reboot, where the engine does not do that by itself."""
    if info.restarts_containers or info.remote or not Path("/run/systemd/system").is_dir():
        return None
    user = "--user " if info.rootless else ""
    return f"`systemctl {user}enable podman-restart.service` has it back after a reboot"
