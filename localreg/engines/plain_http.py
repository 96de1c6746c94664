"""Docker's rules for plain HTTP: the registries it is configured for, and the cure if it expects TLS."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from localreg.engines.common.messages import WANTS_TLS
from localreg.errors import LocalregError, RegistryError
from localreg.system.address import Address
from localreg.system.command_line import CommandLine, Sentence, as_root

LOOPBACK = ("127.0.0.0/8", "::1/128")
"""The networks that Docker trusts as long as `insecure-registries` is not set."""
_LOCALHOST = ("127.0.0.1", "::1")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Place = Literal["here", "desktop", "virtual machine", "snap", "remote", "other user"]


@dataclass(frozen=True, slots=True)
class PlainHttp:
    """The part of Docker's configuration that decides between plain HTTP and TLS."""

    containerd_store: bool = False
    """Docker keeps its images in containerd, which reads `certs.d`."""
    rootless: bool = False
    """Docker runs without root, with the configuration in the user's home."""
    networks: tuple[Network, ...] | None = None
    """It uses plain HTTP for registries in these networks; None if it does not tell."""
    secure: Mapping[str, bool] = field(default_factory=dict)
    """Registries that are configured by name, `host:port`, and whether Docker expects TLS from each."""
    place: Place = "remote"
    """Where the daemon reads its configuration."""
    folder: Path | None = None
    """The folder of its configuration; None if it is not on this machine."""

    def uses(self, registry: str) -> bool | None:
        """Whether Docker uses plain HTTP for a registry that has no TLS; None if only Docker can tell.

        Args:
            registry: Its address, `host:port`.
        """
        if registry in self.secure:
            return not self.secure[registry]
        host = registry.rpartition(":")[0].strip("[]")
        try:
            addresses = [ipaddress.ip_address(each) for each in (_LOCALHOST if host == "localhost" else (host,))]
        except ValueError:
            # Docker looks up a name itself, perhaps on another machine.
            return None
        if any(address in network for address in addresses for network in self.networks or ()):
            return True
        # Containerd has its own exception for loopback.
        if self.containerd_store and addresses[0].is_loopback:
            return True
        is_unknown = self.networks is None or (self.containerd_store and self._may_have_hosts(registry))
        return None if is_unknown else False

    def check(self, registry: str) -> None:
        """Check that Docker does not expect TLS from a registry that speaks plain HTTP; passes if that is unknown.

        Args:
            registry: Its address, `host:port`.

        Raises:
            RegistryError: Docker would expect TLS; with the cure.
        """
        if self.uses(registry) is not False:
            return
        allowed = [*map(str, self.networks or ()), *(name for name, secure in self.secure.items() if not secure)]
        raise RegistryError(
            f"Docker uses HTTPS for {registry}, which speaks plain HTTP",
            hint=self.cure(registry),
            details=[f"Docker is configured to use plain HTTP for {', '.join(sorted(allowed)) or 'no registry'}"],
        )

    def with_cure(self, error: LocalregError, registry: str) -> LocalregError:
        """The error with the cure as its hint, if Docker expected TLS.

        Args:
            error: The error of a push or a pull.
            registry: Its address, `host:port`.
        """
        if not any(map(WANTS_TLS.search, error.details)):
            return error
        return error.with_(hint=self.cure(registry))

    def cure(self, registry: str) -> str:
        """The hint that allows plain HTTP, without taking it away from any other registry.

        Args:
            registry: Its address, `host:port`.
        """
        if self.place != "here":
            return self.cure_there(registry)
        words = ("trust", "docker", "--location", registry)
        return CommandLine(*words) if self.rootless or os.geteuid() == 0 else as_root(*words)

    def cure_there(self, registry: str) -> str:
        """The same for a daemon whose files are not on this machine, or not this user's.

        One entry alone in `insecure-registries` would take away plain HTTP on loopback from Docker 29.10 on, for every
        registry there. See https://github.com/moby/moby/pull/53868.
        """
        if self.containerd_store and self.place != "snap":
            folder = f"{'~/.config' if self.rootless else '/etc'}/docker/certs.d/{registry}"
            sudo = "" if self.rootless else "sudo "
            line = f'server = "http://{registry}"'
            command = f"{sudo}mkdir -p {folder} && echo '{line}' | {sudo}tee {folder}/hosts.toml"
            return Sentence(f"{_WHERE.get(self.place, '')}run `{command}`")
        entries = ", ".join(f'"{entry}"' for entry in entries_for(registry))
        file, restart = _FILES.get(self.place, ("/etc/docker/daemon.json", "restart Docker"))
        if self.rootless:
            file = "~/.config/docker/daemon.json"
        where = _WHERE.get(self.place, "")
        return Sentence(f"{where}add {entries} to `insecure-registries` in {file}, then {restart}")

    def _may_have_hosts(self, registry: str) -> bool:
        """Whether containerd may have its own configuration of the registry, which allows plain HTTP without more."""
        if self.folder is None or registry.startswith("["):
            return True
        try:
            folders = [folder.name for folder in (self.folder / "certs.d").iterdir()]
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return not {registry, f"{registry.replace(':', '_')}_", "_default"}.isdisjoint(folders)


_WHERE = {
    "virtual machine": "in Docker's virtual machine, ",
    "remote": "on the machine of Docker, ",
    "other user": "as the user who runs Docker, ",
}
_FILES = {
    "desktop": ("the settings of Docker Desktop, under Docker Engine", "choose Apply"),
    "snap": ("/var/snap/docker/current/config/daemon.json", "run `sudo snap restart docker`"),
}


def entries_for(registry: str) -> tuple[str, ...]:
    """The entries of `insecure-registries` that a registry needs: never one that stands alone.

    Args:
        registry: Its address, `host:port`.
    """
    is_loopback = Address(registry.rpartition(":")[0].strip("[]"), 0).is_loopback
    return LOOPBACK if is_loopback else (*LOOPBACK, registry)
