"""Removing one tag from a registry, and from the engine the name that the image has there.

Distribution 2 deletes manifests, and with a manifest every tag that names it. So a tag is first moved to a manifest of
its own that is thrown away, and that one is deleted: other tags of the image stay. The throw-away manifest is marked.
If localreg is killed in between, `ls` hides the tag, and the same `rm` again finishes the removal.
"""

from __future__ import annotations

import contextlib
import json
import secrets
from dataclasses import dataclass

from localreg.command_line import CommandLine
from localreg.engines.port import Engine
from localreg.errors import ConflictError, InUseError, LocalregError, RegistryError, RepositoryNotFoundError, UsageError
from localreg.oci.api import RegistryClient, StoredManifest
from localreg.oci.manifest import EMPTY_CONFIG, EMPTY_CONFIG_TYPE, OCI_MANIFEST, Index, parse_manifest
from localreg.oci.reference import Reference, parse_reference
from localreg.registry.container import Registry, host_of

THROWN_AWAY = "localreg.thrown-away"
"""The annotation of a manifest that a tag was moved to in order to remove the tag; its value is the tag."""


@dataclass(frozen=True, slots=True)
class Removal:
    """A tag to remove."""

    source: str
    """As the user named it."""
    reference: Reference
    """With the registry and a tag."""
    digest: str | None = None
    """What the tag has to name; None for whatever it names."""


@dataclass(frozen=True, slots=True)
class Removed:
    """What became of a tag."""

    source: str
    reference: str
    from_registry: bool
    """The registry had it."""
    from_engine: bool
    """The engine had it."""
    kept_by: str | None = None
    """Why the engine keeps its name for the image, in the engine's words."""


def plan_removal(registry: Registry, name: str) -> Removal:
    """What a name means in the registry; without a tag `latest`, as everywhere.

    Raises:
        InvalidReferenceError: a name that the grammar does not accept.
        UsageError: a digest without a tag, which would be every tag of it; or it names another registry.
        ConflictError: the registry publishes no port.
    """
    named = parse_reference(name)
    if named.digest is not None and named.tag is None:
        raise UsageError(
            f"`{name}` names a digest, and with it every tag that has it: name the tag",
            hint=CommandLine("ls", named.repository),
        )
    return Removal(name, Reference(host_of(registry, named), named.repository, named.tag or "latest"), named.digest)


def remove(engine: Engine, registry: Registry, removal: Removal, *, keep_local: bool) -> Removed:
    """Remove a tag from the registry, and unless told otherwise from the engine.

    One that only the engine has, as after a kill in between, is removed there.

    Raises:
        RepositoryNotFoundError: neither has it.
        ConflictError: the tag names another digest than was said.
        DeleteDisabledError: the registry deletes nothing; then nothing was touched.
    """
    reference = removal.reference
    try:
        with RegistryClient(registry.get_url()) as client:
            untag(client, reference.repository, str(reference.tag), digest=removal.digest)
    except RepositoryNotFoundError:
        if keep_local or not _untag_in_engine(engine, reference):
            raise
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
    """Remove one tag; other tags of the same manifest, and the manifest itself, stay.

    Raises:
        RepositoryNotFoundError: there is no such tag.
        ConflictError: it names another digest.
        DeleteDisabledError: the registry deletes nothing.
    """
    stored = client.get_manifest(repository, tag)
    if is_thrown_away(stored):
        _finish(client, repository, stored.digest)
        return
    if digest is not None and stored.digest != digest:
        raise ConflictError(
            f"`{repository}:{tag}` names {stored.digest} by now", hint=CommandLine("rm", f"{repository}:{tag}")
        )
    # The first thing that is asked is whether deleting is allowed: from the second step on there is no way back.
    if client.delete_tag(repository, tag):
        return
    config = client.put_blob(repository, EMPTY_CONFIG)
    thrown_away = client.put_manifest(repository, tag, _throw_away_manifest(tag, config), OCI_MANIFEST)
    try:
        _finish(client, repository, thrown_away)
    except RegistryError:
        # The tag would be lost with an error.
        with contextlib.suppress(LocalregError):
            client.put_manifest(repository, tag, stored.data, stored.media_type)
        raise


def _throw_away_manifest(tag: str, config: str) -> bytes:
    """No other is the same: deleting it takes no other tag along."""
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
    # `ls` asks this of every manifest: most need no parsing here.
    if THROWN_AWAY.encode() not in stored.data:
        return False
    try:
        parsed = parse_manifest(stored.data, stored.media_type)
    except RegistryError:
        return False
    return not isinstance(parsed, Index) and THROWN_AWAY in parsed.annotations


def _finish(client: RegistryClient, repository: str, digest: str) -> None:
    """Delete a throw-away manifest with its tag; it is no error if another process was faster."""
    with contextlib.suppress(RepositoryNotFoundError):
        client.delete_manifest(repository, digest)
