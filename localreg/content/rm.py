"""`rm`: removes tags, manifests and repositories from a registry, and local tags from the engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from localreg.content.untag import check_digest, untag
from localreg.engines.port import Engine
from localreg.errors import (
    DeleteDisabledError,
    InUseError,
    RegistryError,
    RegistryUnreachableError,
    RepositoryNotFoundError,
)
from localreg.oci import delete_check
from localreg.oci.api import RegistryClient
from localreg.oci.push_check import find_push_refusal
from localreg.oci.reference import Reference
from localreg.registry.client import open_registry
from localreg.registry.container import Registry
from localreg.registry.refusals import why
from localreg.system.command_line import CommandLine


@dataclass(frozen=True, slots=True)
class Removal:
    """A tag or a manifest to remove."""

    source: str
    """The name that the user typed."""
    reference: Reference
    """With the registry, and with a tag or a digest."""
    digest: str | None = None
    """The digest that the tag must have; None for any."""
    tags: tuple[str, ...] = ()
    """The tags that go with a manifest."""

    @property
    def things(self) -> tuple[Reference, ...]:
        """The references that no longer lead to anything then: the tags first."""
        tags = (replace(self.reference, tag=tag, digest=None) for tag in self.tags)
        return (*tags, self.reference)

    @property
    def is_found(self) -> bool:
        """The registry had it before; otherwise perhaps the engine alone has it."""
        return self.reference.tag is None or (self.digest is not None and "@" not in self.source)


@dataclass(frozen=True, slots=True)
class Removed:
    """The outcome for one tag or manifest."""

    source: str
    reference: str
    from_registry: bool
    """The registry had it."""
    from_engine: bool
    """The engine had it."""
    kept_by: str | None = None
    """Why the engine keeps the local tag, in its own words."""


def check_deletes(registry: Registry, client: RegistryClient, repository: str, *, tag: str | None = None) -> None:
    """Check that a registry deletes what it has. One of localreg does, and is not asked.

    Args:
        registry: The registry.
        client: A client of it.
        repository: A repository in it.
        tag: The only thing to delete there, if the registry has it at all: perhaps the engine alone has it.

    Raises:
        DeleteDisabledError: it deletes nothing.
    """
    if registry.is_ours:
        return
    try:
        if tag is not None:
            _check_exists(client, repository, tag)
        delete_check.check_deletes(client, repository)
    except RepositoryNotFoundError:
        return
    except DeleteDisabledError as exc:
        # If the registry takes no changes at all, that is the reason.
        refusal = find_push_refusal(client, repository)
        if refusal is None:
            raise
        raise exc.with_(
            message=f"registry `{registry.container.name}` deletes nothing: it is {why(refusal, registry)}",
            hint=CommandLine("--name", "OTHER", "up"),
        ) from exc


def look(engine: Engine, registry: Registry, removal: Removal, *, keep_local: bool) -> list[Removed]:
    """Find what a removal would do; changes nothing.

    Raises:
        RepositoryNotFoundError: neither the registry nor the engine has it.
        ConflictError: the tag has another digest.
    """
    reference = removal.reference
    if reference.tag is not None and not removal.is_found:
        try:
            with open_registry(registry) as client:
                _check_exists(client, reference.repository, reference.tag, digest=removal.digest)
        except RepositoryNotFoundError as exc:
            if keep_local or not _is_in_engine(engine, reference):
                raise exc.with_(hint=_listing(registry, reference.repository)) from exc
            return [Removed(removal.source, str(reference), from_registry=False, from_engine=True)]
    return [
        Removed(
            removal.source,
            str(thing),
            from_registry=True,
            from_engine=not keep_local and thing.tag is not None and _is_in_engine(engine, thing),
        )
        for thing in removal.things
    ]


def remove(engine: Engine, registry: Registry, removal: Removal, *, keep_local: bool) -> list[Removed]:
    """Remove a tag or a manifest from the registry, and the local tags from the engine unless `keep_local`.

    If only the engine has a tag, as after a kill in between, it is removed there.

    Raises:
        RepositoryNotFoundError: neither has it.
        ConflictError: the tag has another digest.
        DeleteDisabledError: deleting is disabled in the registry; nothing was changed.
    """
    reference = removal.reference
    try:
        with open_registry(registry) as client:
            if reference.tag is None:
                client.delete_manifest(reference.repository, str(reference.digest))
            else:
                untag(client, reference.repository, reference.tag, digest=removal.digest)
    except RepositoryNotFoundError as exc:
        if reference.tag is None or keep_local or not _untag_in_engine(engine, reference):
            raise exc.with_(hint=_listing(registry, reference.repository)) from exc
        return [Removed(removal.source, str(reference), from_registry=False, from_engine=True)]
    return [_dropped(engine, removal.source, thing, keep_local=keep_local) for thing in removal.things]


def _check_exists(client: RegistryClient, repository: str, tag: str, *, digest: str | None = None) -> None:
    """Check that a registry has a tag, if only one that it cannot read; one that it can read must have the digest."""
    try:
        found = client.head_manifest(repository, tag).digest
    except RegistryUnreachableError:
        raise
    except RegistryError:
        pass
    except RepositoryNotFoundError:
        if tag not in client.find_tags(repository):
            raise
    else:
        if digest is not None:
            check_digest(repository, tag, found, digest)


def _listing(registry: Registry, repository: str) -> CommandLine:
    """The command that shows what there is instead."""
    with open_registry(registry) as client:
        return CommandLine("ls", *([repository] if client.has_tags(repository) else []))


def _dropped(engine: Engine, source: str, thing: Reference, *, keep_local: bool) -> Removed:
    """Remove the local tag of something that has left the registry."""
    dropped, kept_by = False, None
    if not keep_local and thing.tag is not None:
        try:
            dropped = _untag_in_engine(engine, thing)
        except InUseError as exc:
            kept_by = " ".join(exc.details) or exc.message
    return Removed(source, str(thing), from_registry=True, from_engine=dropped, kept_by=kept_by)


def _is_in_engine(engine: Engine, reference: Reference) -> bool:
    found = engine.find_image(str(reference))
    return found is not None and str(reference) in found.references


def _untag_in_engine(engine: Engine, reference: Reference) -> bool:
    if not _is_in_engine(engine, reference):
        return False
    engine.untag_image(str(reference))
    return True


def count(removals: Sequence[Removal]) -> int:
    """How many tags and manifests go, a manifest with its tags as one more."""
    return sum(len(removal.tags) or 1 for removal in removals)
