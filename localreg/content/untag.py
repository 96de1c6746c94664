"""Removing one tag from a registry.

Distribution 2 deletes manifests only, and with a manifest all its tags. So the tag first moves to a throw-away
manifest, then that one is deleted: other tags of the image stay. The throw-away manifest is marked. If localreg is
killed in between, `ls` hides the tag, and the same removal again finishes it.
"""

from __future__ import annotations

import contextlib
import json
import secrets
from http import HTTPStatus

from localreg.errors import (
    ConflictError,
    LocalregError,
    RegistryError,
    RegistryUnreachableError,
    RepositoryNotFoundError,
)
from localreg.oci.api import RegistryClient, StoredManifest
from localreg.oci.manifest import EMPTY_CONFIG, EMPTY_CONFIG_TYPE, OCI_MANIFEST, Index
from localreg.system.command_line import CommandLine

THROWN_AWAY = "localreg.thrown-away"
"""The annotation of a throw-away manifest; its value is the tag to remove."""


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
    if stored is not None and digest is not None:
        check_digest(repository, tag, stored.digest, digest)
    # This request also tells whether deleting is allowed: after the next step there is no way back.
    if client.delete_tag(repository, tag):
        return
    config = client.put_blob(repository, EMPTY_CONFIG)
    if digest is not None:
        # A push since the first look would be lost.
        check_digest(repository, tag, client.head_manifest(repository, tag).digest, digest)
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


def check_digest(repository: str, tag: str, found: str, wanted: str) -> None:
    """Check that a tag still has a digest.

    Raises:
        ConflictError: it has another one.
    """
    if found != wanted:
        raise ConflictError(
            f"`{repository}:{tag}` now has digest {found}", hint=CommandLine("rm", f"{repository}:{tag}")
        )


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
    """Delete a throw-away manifest with its tag; another process may have been faster."""
    with contextlib.suppress(RepositoryNotFoundError):
        client.delete_manifest(repository, digest)
