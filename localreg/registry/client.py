"""The client of a registry on the developer's own engine: the one place that knows how localreg gets into it."""

from __future__ import annotations

from dataclasses import replace

from localreg.oci.access import Access, Credentials
from localreg.oci.api import REQUEST_SECONDS, RegistryClient
from localreg.oci.ping import Reply, ask
from localreg.registry.container import Registry
from localreg.registry.tls import ca_of
from localreg.system.command_line import CommandLine


def open_registry(registry: Registry, *, timeout: float = REQUEST_SECONDS, connections: int = 16) -> RegistryClient:
    """A client of a registry, logged in if it requires a login.

    Args:
        registry: It runs, and this machine reaches it.
        timeout: Seconds for one whole request.
        connections: The number of connections to keep open.

    Raises:
        RegistryUnreachableError: this machine cannot reach it.
    """
    url = registry.get_url()
    access = access_to(registry.get_location()) if requires_login(registry) else None
    return RegistryClient(url, timeout=timeout, connections=connections, access=access, ca=ca_of(registry))


def requires_login(registry: Registry) -> bool:
    """Whether a registry requires a login; one of localreg tells without a request.

    Args:
        registry: The registry; one that this machine cannot reach may require one all the same.
    """
    if registry.is_ours:
        return bool(registry.options.auth)
    return registry.container.is_running and registry.url is not None and ask(registry.url) is Reply.WANTS_LOGIN


def access_to(location: str) -> Access:
    """The way into a registry on the developer's own engine that requires a login.

    Args:
        location: The registry's part of a reference.
    """
    # Most registries require no login, and then nothing is read.
    from localreg.oci.credentials import access_by_stores  # noqa: PLC0415

    return replace(access_by_stores(location, command=CommandLine("login")), is_own=True)


def find_login(registry: Registry, repository: str = "") -> Credentials | None:
    """The credentials for a registry, from localreg's own store or an engine's.

    Args:
        registry: The registry.
        repository: Docker and Podman can store a login for one repository; empty for the registry itself.

    Returns:
        None if it requires no login, or no store has one.
    """
    if registry.location is None or not requires_login(registry):
        return None
    return access_to(registry.location).find_credentials(repository)
