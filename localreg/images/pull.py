"""`pull`: pulls an image from the registry into the engine."""

from __future__ import annotations

from dataclasses import replace

from localreg.engines.port import Engine
from localreg.errors import InvalidReferenceError
from localreg.images.transfer import (
    OnProgress,
    Transfer,
    Transferred,
    check_plain_http,
    find_digest,
    pull_steps,
)
from localreg.oci.reference import Reference, parse_reference
from localreg.registry.container import Registry


def plan_pull(registry: Registry, reference: str) -> Transfer:
    """Work out a name in the registry.

    Raises:
        InvalidReferenceError: the name is not a valid reference.
    """
    return Transfer(reference, registry.reference_of(parse_reference(reference)))


def pull_image(
    engine: Engine, registry: Registry, transfer: Transfer, *, name: str | None = None, on_progress: OnProgress
) -> Transferred:
    """Pull an image from the registry.

    Args:
        engine: The engine to pull into.
        registry: The registry to pull from.
        transfer: The image.
        name: Another name for the image in the engine.
        on_progress: Gets each step.

    Raises:
        RepositoryNotFoundError: the registry does not have it.
        RegistryError: the engine expects TLS, or the pull failed.
    """
    check_plain_http(engine, registry, transfer.reference)
    extra = None if name is None else _complete(parse_reference(name))
    digest = find_digest(registry, transfer.reference)
    for step in pull_steps(engine, registry, transfer.reference):
        digest = digest or step.digest
        on_progress(step)
    if extra is not None:
        engine.tag_image(str(transfer.reference), str(extra))
    return Transferred(transfer.source, str(transfer.reference), digest)


def _complete(name: Reference) -> Reference:
    if name.digest is not None:
        raise InvalidReferenceError(f"`{name}` has a digest; a local name needs a tag")
    return name if name.tag else replace(name, tag="latest")
