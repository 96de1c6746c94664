"""The configuration of the registry: the environment of its container."""

from __future__ import annotations

import secrets

from localreg.registry.container import Registry
from localreg.registry.options import RegistryOptions
from localreg.registry.tls import TLS_ENVIRONMENT
from localreg.registry.users import ENVIRONMENT as USERS

_ENVIRONMENT = {
    "REGISTRY_STORAGE_DELETE_ENABLED": "true",
    # Relative locations keep uploads working through a forwarded port or a proxy.
    "REGISTRY_HTTP_RELATIVEURLS": "true",
    # With a cache, a running registry would still offer blobs that garbage collection has removed. Distribution has no
    # word for "no cache", but an unknown word turns the cache off.
    "REGISTRY_STORAGE_CACHE_BLOBDESCRIPTOR": "none",
    # Requests under way may end when the registry stops. Engines kill it after 10 seconds. A connection that has sent
    # nothing yet counts as a request, so a longer time could make every stop slow.
    "REGISTRY_HTTP_DRAINTIMEOUT": "5s",
}
_SECRET = "REGISTRY_HTTP_SECRET"  # noqa: S105 -- the name of a variable
"""The registry signs the addresses of uploads with it: with the same secret an upload survives a restart."""
_SECRET_BYTES = 32


def environment_of(options: RegistryOptions, replaced: Registry | None) -> dict[str, str]:
    """The environment of a new registry.

    Args:
        options: The registry's.
        replaced: The registry whose secret stays; None for a new secret.
        tls: It has a certificate.
    """
    kept = None if replaced is None else replaced.container.environment.get(_SECRET)
    chosen = {**(USERS if options.auth else {}), **(TLS_ENVIRONMENT if options.tls else {})}
    return {**_ENVIRONMENT, **chosen, _SECRET: kept or secrets.token_hex(_SECRET_BYTES)}
