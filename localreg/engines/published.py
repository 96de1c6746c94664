"""What an engine's port bindings mean for those who want to reach them."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from localreg.engines.base import Address, Endpoint, PublishedPort

_ANONYMOUS_VOLUME = re.compile(r"[0-9a-f]{64}")

PORT_TAKEN = re.compile(
    r"port is already allocated|address already in use|ports are not available|proxy already running", re.IGNORECASE
)
"""How the engines, their proxies and their virtual machines say that a port cannot be bound."""

DISK_FULL = re.compile(r"no space left on device|disk quota exceeded", re.IGNORECASE)
"""How the system says through an engine that there is no room."""


def published_port(container_port: int, host_ip: str, host_port: int, endpoint: Endpoint) -> PublishedPort:
    """Work out where a binding can be reached from.

    Args:
        container_port: The port within the container.
        host_ip: What it is bound to on the engine's machine; empty for every interface.
        host_port: The port there.
        endpoint: Where the engine answers.
    """
    bound = Address(host_ip or "0.0.0.0", host_port)  # noqa: S104 -- what the engine did, told as it is
    near = Address("::1" if host_ip == "::" else "127.0.0.1", host_port) if bound.is_wildcard else bound
    return PublishedPort(container_port, bound, from_engine=near, from_host=_from_host(bound, near, endpoint))


def _from_host(bound: Address, near: Address, endpoint: Endpoint) -> Address | None:
    if not endpoint.is_remote:
        return near
    if bound.is_loopback:
        return None
    return Address(urlsplit(endpoint.url).hostname or "", bound.port) if bound.is_wildcard else bound


def is_anonymous(volume: str) -> bool:
    """The name is one that an engine made up."""
    return _ANONYMOUS_VOLUME.fullmatch(volume) is not None
