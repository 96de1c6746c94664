"""Plain HTTP with Docker: the registries it is configured for, and the cure if Docker expects TLS from another one."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from localreg.engines.common.messages import WANTS_TLS
from localreg.engines.values import Endpoint
from localreg.errors import LocalregError, RegistryError
from localreg.system.address import Address
from localreg.system.command_line import Sentence

_CONTAINERD_STORE = "io.containerd.snapshotter.v1"
_LOOPBACK = ("127.0.0.0/8", "::1/128")
_LOCALHOST = ("127.0.0.1", "::1")
_CERTIFICATES = Path("/etc/docker/certs.d")
_IN_SNAP = "/var/snap/"

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class PlainHttp:
    """The part of Docker's configuration that decides between plain HTTP and TLS."""

    containerd_store: bool = False
    """Docker keeps its images in containerd, which reads `certs.d`."""
    rootless: bool = False
    """Docker runs without root, with the configuration in the user's home."""
    networks: tuple[_Network, ...] | None = None
    """It uses plain HTTP for registries in these networks; None if it does not tell."""
    secure: Mapping[str, bool] = field(default_factory=dict)
    """Registries that are configured by name, `host:port`, and whether Docker expects TLS from each."""
    certificates: Path | None = None
    """The `certs.d` that it reads; None if it is on another machine or cannot be known."""

    @classmethod
    def read(cls, info: Mapping[str, Any], endpoint: Endpoint) -> Self:
        """Read `GET /info`.

        Args:
            info: The answer.
            endpoint: The daemon's.
        """
        config = info.get("RegistryConfig") or {}
        named = config.get("IndexConfigs") or {}
        rootless = any("name=rootless" in option.split(",") for option in info.get("SecurityOptions") or ())
        networks = None
        # Docker 29.10 tells no network if none is allowed, but each Docker names its own registry.
        if named:
            with contextlib.suppress(ValueError):
                found = config.get("InsecureRegistryCIDRs") or ()
                networks = tuple(ipaddress.ip_network(network, strict=False) for network in found)
        return cls(
            containerd_store=dict(info.get("DriverStatus") or ()).get("driver-type") == _CONTAINERD_STORE,
            rootless=rootless,
            networks=networks,
            secure={registry: bool(entry.get("Secure", True)) for registry, entry in named.items()},
            certificates=_CERTIFICATES if not rootless and _is_here(info, endpoint) else None,
        )

    def check(self, registry: str) -> None:
        """Check that Docker does not expect TLS from a registry that speaks plain HTTP; passes if that is unknown.

        Args:
            registry: Its address, `host:port`.

        Raises:
            RegistryError: Docker would expect TLS; with the cure.
        """
        if not self._expects_tls(registry):
            return
        allowed = [*map(str, self.networks or ()), *(name for name, secure in self.secure.items() if not secure)]
        raise RegistryError(
            f"Docker uses HTTPS for {registry}, which speaks plain HTTP",
            hint=self._cure(registry),
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
        return error.with_(hint=self._cure(registry))

    def _expects_tls(self, registry: str) -> bool:
        """Whether it is certain that Docker expects TLS."""
        if self.networks is None:
            return False
        if registry in self.secure:
            return self.secure[registry]
        host = registry.rpartition(":")[0].strip("[]")
        try:
            addresses = [ipaddress.ip_address(each) for each in (_LOCALHOST if host == "localhost" else (host,))]
        except ValueError:
            # Docker looks up a name itself, perhaps on another machine.
            return False
        if any(address in network for address in addresses for network in self.networks):
            return False
        # Containerd has its own exception for loopback.
        return not self.containerd_store or not (addresses[0].is_loopback or self._may_have_hosts(registry))

    def _may_have_hosts(self, registry: str) -> bool:
        """Whether containerd may have its own configuration of the registry, which allows plain HTTP without more."""
        if self.certificates is None or registry.startswith("["):
            return True
        try:
            folders = [folder.name for folder in self.certificates.iterdir()]
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return not {registry, f"{registry.replace(':', '_')}_", "_default"}.isdisjoint(folders)

    def _cure(self, registry: str) -> str:
        """The hint that allows plain HTTP, without taking it away from any other registry.

        One entry alone in `insecure-registries` would take away plain HTTP on loopback from Docker 29.10 on, for every
        registry there. See https://github.com/moby/moby/pull/53868.
        """
        if self.containerd_store:
            folder = f"{'~/.config' if self.rootless else '/etc'}/docker/certs.d/{registry}"
            sudo = "" if self.rootless else "sudo "
            line = f'server = "http://{registry}"'
            return f"{sudo}mkdir -p {folder} && echo '{line}' | {sudo}tee {folder}/hosts.toml"
        named = () if Address(registry.rpartition(":")[0].strip("[]"), 0).is_loopback else (registry,)
        entries = ", ".join(f'"{entry}"' for entry in (*_LOOPBACK, *named))
        place = "~/.config/docker/daemon.json" if self.rootless else "/etc/docker/daemon.json"
        return Sentence(f"add {entries} to `insecure-registries` in {place}, then restart Docker")


def _is_here(info: Mapping[str, Any], endpoint: Endpoint) -> bool:
    """Whether the daemon reads this machine's files; one in a virtual machine, a snap or a container does not."""
    return (
        sys.platform == "linux"
        and endpoint.socket is not None
        and info.get("Name") == socket.gethostname()
        and not str(info.get("DockerRootDir")).startswith(_IN_SNAP)
    )
