"""The index of what refers to a manifest, under a tag: how a registry without the referrers API is asked for it.

Distribution 2.8.3 has no such API. Its clients keep the index, and what is not listed there is found by no program and
removed by the next garbage collection. A layout of oras, regctl or hauler has the referrers, but not the index.

See https://github.com/opencontainers/distribution-spec/blob/main/spec.md#referrers-tag-schema.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from localreg.errors import RepositoryNotFoundError
from localreg.oci.api import RegistryClient, StoredManifest
from localreg.oci.manifest import OCI_INDEX, Index, Manifest
from localreg.places.port import Content

_LONGEST_ALGORITHM = 32
_LONGEST_DIGEST = 64


def list_followers(client: RegistryClient, content: Content) -> None:
    """List the manifests about others in the index of each, if the registry needs one.

    Args:
        client: A client of the registry, which has the content.
        content: What was copied there.

    Raises:
        RegistryError: the registry does not take an index.
    """
    followers: dict[tuple[str, str], list[StoredManifest]] = {}
    for repository, digests in content.members.items():
        for digest in digests:
            subject = content.manifests[digest].content.subject
            if subject is not None:
                followers.setdefault((repository, subject), []).append(content.manifests[digest])
    for (repository, subject), manifests in followers.items():
        _list(client, repository, fallback_tag(subject), manifests)


def fallback_tag(subject: str) -> str:
    """The tag of the index of what refers to a manifest with this digest."""
    algorithm, _, encoded = subject.partition(":")
    return f"{algorithm[:_LONGEST_ALGORITHM]}-{encoded[:_LONGEST_DIGEST]}"


def _list(client: RegistryClient, repository: str, tag: str, manifests: list[StoredManifest]) -> None:
    index: dict[str, Any] = {"schemaVersion": 2, "mediaType": OCI_INDEX}
    try:
        before = client.get_manifest(repository, tag)
    except RepositoryNotFoundError:
        known = set[str]()
    else:
        if not isinstance(before.content, Index):
            # Something else has this tag.
            return
        index, known = json.loads(before.data), {child.digest for child in before.content.manifests}
    missing = [_described(stored) for stored in manifests if stored.digest not in known]
    if missing:
        # The registry takes no index with a child that was removed.
        kept = [child for child in index.get("manifests") or () if _has(client, repository, child["digest"])]
        data = json.dumps({**index, "manifests": [*kept, *missing]}).encode()
        client.put_manifest(repository, tag, data, str(index.get("mediaType") or OCI_INDEX))


def _has(client: RegistryClient, repository: str, digest: str) -> bool:
    try:
        client.head_manifest(repository, digest)
    except RepositoryNotFoundError:
        return False
    return True


def _described(stored: StoredManifest) -> Mapping[str, object]:
    parsed = stored.content
    kind = parsed.artifact_type or (parsed.config.media_type if isinstance(parsed, Manifest) else None)
    return {
        "mediaType": parsed.media_type,
        "digest": stored.digest,
        "size": len(stored.data),
        **({"artifactType": kind} if kind else {}),
        **({"annotations": dict(parsed.annotations)} if parsed.annotations else {}),
    }
