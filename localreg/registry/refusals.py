"""Why a registry that localreg did not create takes no pushes, as far as the environment of its container tells.

A mounted configuration can set the same. `push` asks the registry itself; `status` only reads.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from localreg.oci.refusal import PushRefusal
from localreg.registry.container import Registry

_UPSTREAM = "REGISTRY_PROXY_REMOTEURL"
_READ_ONLY = ("REGISTRY_STORAGE_MAINTENANCE_READONLY", "REGISTRY_STORAGE_MAINTENANCE")
_ENABLED = re.compile(r"\benabled\b[\"']?\s*:\s*[\"']?true\b", re.IGNORECASE)


def find_refusal(registry: Registry) -> PushRefusal | None:
    """Why a registry takes no pushes; None if its container's environment does not tell."""
    environment = registry.container.environment
    if environment.get(_UPSTREAM):
        return PushRefusal.CACHE
    is_read_only = any(_ENABLED.search(environment.get(name, "")) for name in _READ_ONLY)
    return PushRefusal.READ_ONLY if is_read_only else None


def why(refusal: PushRefusal, registry: Registry) -> str:
    """The reason for a sentence that begins with `it is`."""
    if refusal is PushRefusal.READ_ONLY:
        return "read-only"
    upstream = urlsplit(registry.container.environment.get(_UPSTREAM, "")).hostname
    return f"a cache of {upstream or 'another registry'}"
