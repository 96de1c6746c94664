"""The client of a registry on the developer's own engine: the one place that knows how localreg gets into it."""

from __future__ import annotations

from localreg.oci.api import REQUEST_SECONDS, RegistryClient
from localreg.registry.container import Registry
from localreg.registry.tls import ca_of


def open_registry(registry: Registry, *, timeout: float = REQUEST_SECONDS, connections: int = 16) -> RegistryClient:
    """A client of a registry.

    Args:
        registry: It runs, and this machine reaches it.
        timeout: Seconds for one whole request.
        connections: The number of connections to keep open.

    Raises:
        RegistryUnreachableError: this machine cannot reach it.
    """
    return RegistryClient(registry.get_url(), timeout=timeout, connections=connections, ca=ca_of(registry))
