"""`rm`: removes one tag from a registry, and its local tag from the engine.

Distribution 2 deletes manifests only, and with a manifest all its tags. So `rm` first moves the tag to a throw-away
manifest, then deletes that one: other tags of the image stay. The throw-away manifest is marked. If localreg is killed
in between, `ls` hides the tag, and the same `rm` again finishes the removal.
"""

from __future__ import annotations

import contextlib
import json
import secrets
from dataclasses import dataclass
from http import HTTPStatus

from localreg.engines.port import Engine
from localreg.errors import (
    ConflictError,
    DeleteDisabledError,
    InUseError,
    LocalregError,
    RegistryError,
    RegistryUnreachableError,
    RepositoryNotFoundError,
    UsageError,
)
from localreg.oci.api import RegistryClient, StoredManifest
from localreg.oci.manifest import EMPTY_CONFIG, EMPTY_CONFIG_TYPE, OCI_MANIFEST, Index
from localreg.oci.push_check import find_push_refusal
from localreg.oci.reference import Reference, parse_reference
from localreg.registry.container import Registry, host_of
from localreg.registry.refusals import why
from localreg.system.command_line import CommandLine

THROWN_AWAY = "localreg.thrown-away"
"""The annotation of a throw-away manifest; its value is the tag to remove."""
_SHOWN = len("sha256:") + 12
"""Characters of a digest in a message."""


@dataclass(frozen=True, slots=True)
class Removal:
    """A tag to remove."""

    source: str
    """The name that the user typed."""
    reference: Reference
    """With the registry and a tag."""
    digest: str | None = None
    """The digest that the tag must have; None for any."""


@dataclass(frozen=True, slots=True)
class Removed:
    """The outcome for one tag."""

    source: str
    reference: str
    from_registry: bool
    """The registry had it."""
    from_engine: bool
    """The engine had it."""
    kept_by: str | None = None
    """Why the engine keeps the local tag, in its own words."""


def plan_removal(registry: Registry, name: str) -> Removal:
    """Find the tag that a name means; `latest` if it has none.

    Raises:
        InvalidReferenceError: the name is not a valid reference.
        UsageError: it has a digest but no tag, which would mean every tag of it; or it names another registry.
        ConflictError: the registry publishes no port.
    """
    named = parse_reference(name)
    if named.digest is not None and named.tag is None:
        short = name.replace(named.digest, named.digest[:_SHOWN])
        raise UsageError(
            f"`{short}` has a digest but no tag, and several tags can have that digest",
            hint=CommandLine("ls", named.repository),
        )
    return Removal(name, Reference(host_of(registry, named), named.repository, named.tag or "latest"), named.digest)


def remove(engine: Engine, registry: Registry, removal: Removal, *, keep_local: bool) -> Removed:
    """Remove a tag from the registry, and the local tag from the engine unless `keep_local`.

    If only the engine has it, as after a kill in between, it is removed there.

    Raises:
        RepositoryNotFoundError: neither has it.
        ConflictError: the tag has another digest.
        DeleteDisabledError: deleting is disabled in the registry; nothing was changed.
    """
    reference = removal.reference
    try:
        with RegistryClient(registry.get_url()) as client:
            untag(client, reference.repository, str(reference.tag), digest=removal.digest)
    except DeleteDisabledError as exc:
        refusal = find_push_refusal(registry.get_url(), reference.repository)
        if refusal is None:
            raise
        raise exc.with_(
            message=f"registry `{registry.container.name}` deletes nothing: it is {why(refusal, registry)}",
            hint=CommandLine("--name", "OTHER", "up"),
        ) from exc
    except RepositoryNotFoundError as exc:
        if keep_local or not _untag_in_engine(engine, reference):
            with RegistryClient(registry.get_url()) as client:
                shown = [reference.repository] if client.has_tags(reference.repository) else []
            raise exc.with_(hint=CommandLine("ls", *shown)) from exc
        return Removed(removal.source, str(reference), from_registry=False, from_engine=True)
    if keep_local:
        return Removed(removal.source, str(reference), from_registry=True, from_engine=False)
    try:
        dropped, kept_by = _untag_in_engine(engine, reference), None
    except InUseError as exc:
        dropped, kept_by = False, " ".join(exc.details) or exc.message
    return Removed(removal.source, str(reference), from_registry=True, from_engine=dropped, kept_by=kept_by)


def _untag_in_engine(engine: Engine, reference: Reference) -> bool:
    found = engine.find_image(str(reference))
    if found is None or str(reference) not in found.references:
        return False
    engine.untag_image(str(reference))
    return True


def untag(client: RegistryClient, repository: str, tag: str, *, digest: str | None = None) -> None:
    """Remove one tag; the manifest and its other tags stay.

    A broken tag, which a full disk or a kill left behind, is removed without being read.

    Raises:
        RepositoryNotFoundError: there is no such tag.
        ConflictError: it has another digest.
        DeleteDisabledError: deleting is disabled in the registry.
    """
    stored = _read(client, repository, tag, must_be_whole=digest is not None)
    if stored is not None and is_thrown_away(stored):
        _finish(client, repository, stored.digest)
        return
    if stored is not None and digest is not None and stored.digest != digest:
        raise ConflictError(
            f"`{repository}:{tag}` now has digest {stored.digest}", hint=CommandLine("rm", f"{repository}:{tag}")
        )
    # This request also tells whether deleting is allowed: after the next step there is no way back.
    if client.delete_tag(repository, tag):
        return
    config = client.put_blob(repository, EMPTY_CONFIG)
    thrown_away = client.put_manifest(repository, tag, _throw_away_manifest(tag, config), OCI_MANIFEST)
    try:
        _finish(client, repository, thrown_away)
    except RegistryError as exc:
        # Otherwise the tag would be lost.
        with contextlib.suppress(LocalregError):
            if stored is not None:
                client.put_manifest(repository, tag, stored.data, stored.media_type)
        if exc.status != HTTPStatus.INTERNAL_SERVER_ERROR:
            raise
        broken = [other for other in _list_broken(client, repository) if other != tag]
        if not broken:
            raise
        names = [f"{repository}:{other}" for other in broken]
        raise exc.with_(
            message=f"the registry cannot delete in `{repository}` while it has broken tags: {', '.join(broken)}",
            hint=CommandLine("rm", *names),
        ) from exc


def _read(client: RegistryClient, repository: str, tag: str, *, must_be_whole: bool) -> StoredManifest | None:
    """The manifest of a tag; None if the registry lists the tag but cannot read it."""
    try:
        return client.get_manifest(repository, tag)
    except RegistryUnreachableError:
        raise
    except RegistryError as exc:
        if must_be_whole or exc.status != HTTPStatus.INTERNAL_SERVER_ERROR:
            raise
    except RepositoryNotFoundError:
        if must_be_whole or tag not in client.list_tags(repository):
            raise
    return None


def _list_broken(client: RegistryClient, repository: str) -> list[str]:
    """The tags that the registry fails to read."""
    broken = []
    for tag in client.list_tags(repository):
        try:
            client.head_manifest(repository, tag)
        except RegistryError as exc:
            if exc.status == HTTPStatus.INTERNAL_SERVER_ERROR:
                broken.append(tag)
        except RepositoryNotFoundError:
            continue
    return sorted(broken)


def _throw_away_manifest(tag: str, config: str) -> bytes:
    """A manifest like no other, so that deleting it removes no other tag."""
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": EMPTY_CONFIG_TYPE, "digest": config, "size": len(EMPTY_CONFIG)},
        "layers": [],
        "annotations": {THROWN_AWAY: tag, "localreg.nonce": secrets.token_hex(16)},
    }
    return json.dumps(manifest).encode()


def is_thrown_away(stored: StoredManifest) -> bool:
    """It is a throw-away manifest: an `rm` was killed before it deleted it."""
    try:
        return not isinstance(stored.content, Index) and THROWN_AWAY in stored.content.annotations
    except RegistryError:
        return False


def _finish(client: RegistryClient, repository: str, digest: str) -> None:
    """Delete a throw-away manifest with its tag; it is no error if another process was faster."""
    with contextlib.suppress(RepositoryNotFoundError):
        client.delete_manifest(repository, digest)
