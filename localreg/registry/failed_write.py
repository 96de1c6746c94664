"""Why a registry could not store something, as its log tells."""

from __future__ import annotations

from localreg.engines.common.messages import DISK_FULL, NOT_WRITABLE
from localreg.errors import LocalregError, RegistryError
from localreg.registry.container import Registry
from localreg.system.command_line import CommandLine, Sentence


def explained(error: LocalregError, registry: Registry, cause: str, *, what: str) -> RegistryError:
    """The failure of a push or a load, with its cause and what to do.

    Args:
        error: The failure.
        registry: The registry.
        cause: From its log.
        what: The reference, or the file.
    """
    storage = registry.storage_phrase or "the volume of the registry"
    if DISK_FULL.search(cause):
        return RegistryError(
            f"the disk with the registry's images has no space for `{what}`",
            hint=Sentence(f"free space in {storage}"),
            details=[cause],
        )
    if NOT_WRITABLE.search(cause):
        return RegistryError(
            f"the registry cannot write `{what}` to {storage}",
            hint=Sentence(f"let the user of the registry's container write to {storage}"),
            details=[cause],
        )
    return RegistryError(
        error.message, hint=CommandLine("logs"), details=[*error.details, f"the registry's log: {cause}"]
    )
