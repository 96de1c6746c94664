"""The ports that an engine binds, and where each can be reached from."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from localreg.engines.values import Endpoint, PublishedPort
from localreg.system.address import Address
from localreg.system.ports import is_own_address

_ANONYMOUS_VOLUME = re.compile(r"[0-9a-f]{64}")

LOCALHOST = frozenset({"127.0.0.1", "::1", "localhost"})


def published_port(container_port: int, host_ip: str, host_port: int, endpoint: Endpoint) -> PublishedPort:
    """Work out where a binding can be reached from.

    Args:
        container_port: The port within the container.
        host_ip: What it is bound to on the engine's machine; empty for every interface.
        host_port: The port there.
        endpoint: Where the engine answers.
    """
    bound = Address(host_ip or "0.0.0.0", host_port)  # noqa: S104 -- what the engine did, told as it is
    return PublishedPort(container_port, bound, from_host=_from_host(bound, endpoint))


def _from_host(bound: Address, endpoint: Endpoint) -> Address | None:
    if not endpoint.is_remote:
        return Address("::1" if bound.host == "::" else "127.0.0.1", bound.port) if bound.is_wildcard else bound
    if bound.is_loopback:
        return None
    return Address(urlsplit(endpoint.url).hostname or "", bound.port) if bound.is_wildcard else bound


def leads_to(host_and_port: str, published: PublishedPort) -> bool:
    """A reference that begins with this host and port leads to a published port; no name is looked up."""
    host, _, port = host_and_port.rpartition(":")
    host, bound, near = host.strip("[]").lower(), published.bound, published.from_host
    if port != str(bound.port):
        return False
    if not bound.is_wildcard:
        return host == bound.host or (host == "localhost" and bound.host in LOCALHOST)
    if host == bound.host or host in LOCALHOST:
        return True
    return near is not None and (is_own_address(host) if near.is_loopback else host == near.host.lower())


def is_anonymous(volume: str) -> bool:
    """The name is one that an engine made up."""
    return _ANONYMOUS_VOLUME.fullmatch(volume) is not None
