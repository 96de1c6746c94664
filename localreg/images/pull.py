"""`pull`: an image from the registry into the engine."""

from __future__ import annotations

from dataclasses import replace

from localreg.engines.port import Engine
from localreg.errors import InvalidReferenceError
from localreg.images.transfer import OnProgress, Transfer, Transferred, find_digest, pull_steps
from localreg.oci.reference import Reference, parse_reference
from localreg.registry.container import Registry


def plan_pull(registry: Registry, reference: str) -> Transfer:
    """What a name means in the registry: a short name, or one that names another registry, is looked up here.

    Raises:
        InvalidReferenceError: a name that the grammar does not accept.
    """
    return Transfer(reference, registry.reference_of(parse_reference(reference)))


def pull_image(
    engine: Engine, registry: Registry, transfer: Transfer, *, name: str | None = None, on_progress: OnProgress
) -> Transferred:
    """Pull an image from the registry.

    Args:
        engine: Where it goes.
        registry: Where it comes from.
        transfer: What to pull.
        name: One more name for the image in the engine.
        on_progress: Told each step.

    Raises:
        RepositoryNotFoundError: the registry does not have it.
    """
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
        raise InvalidReferenceError(f"`{name}` names a digest; an image gets a tag")
    return name if name.tag else replace(name, tag="latest")
