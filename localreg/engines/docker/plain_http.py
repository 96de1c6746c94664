"""Reads Docker's rules for plain HTTP from `GET /info`."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from localreg.engines.plain_http import Place, PlainHttp
from localreg.engines.values import Endpoint

_CONTAINERD_STORE = "io.containerd.snapshotter.v1"
_CONFIGURATION = Path("/etc/docker")
_IN_SNAP = "/var/snap/"
_DESKTOP = "Docker Desktop"


def read_plain_http(info: Mapping[str, Any], endpoint: Endpoint) -> PlainHttp:
    """Read the rules.

    Args:
        info: The answer to `GET /info`.
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
    place = _place_of(info, endpoint, rootless=rootless)
    return PlainHttp(
        containerd_store=dict(info.get("DriverStatus") or ()).get("driver-type") == _CONTAINERD_STORE,
        rootless=rootless,
        networks=networks,
        secure={registry: bool(entry.get("Secure", True)) for registry, entry in named.items()},
        place=place,
        folder=None if place != "here" else _users_folder() if rootless else _CONFIGURATION,
    )


def _place_of(info: Mapping[str, Any], endpoint: Endpoint, *, rootless: bool) -> Place:
    """Where the daemon reads its files."""
    if info.get("OperatingSystem") == _DESKTOP:
        return "desktop"
    if str(info.get("DockerRootDir")).startswith(_IN_SNAP):
        return "snap"
    if endpoint.is_remote:
        return "remote"
    if sys.platform != "linux" or endpoint.socket is None or info.get("Name") != socket.gethostname():
        return "virtual machine"
    return "other user" if rootless and not _is_own(endpoint.socket) else "here"


def _is_own(path: str) -> bool:
    try:
        return Path(path).stat().st_uid == os.geteuid()
    except OSError:
        return False


def _users_folder() -> Path:
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "docker"
