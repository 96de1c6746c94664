"""The tag `sha256-HEX`: an index of the manifests about another one, for registries without the referrers API.

See https://github.com/opencontainers/distribution-spec/blob/main/spec.md#referrers-tag-schema.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from localreg.oci.api import StoredManifest
from localreg.oci.digest import digest_of
from localreg.oci.manifest import OCI_INDEX, Index, Manifest

_TAG = re.compile(r"sha(?:256-[0-9a-f]{64}|512-[0-9a-f]{64})", re.ASCII)
_LONGEST_TAG = 128


def stem_of(digest: str) -> str:
    """The tag of the index with the referrers of a manifest, which other tags about it begin with."""
    algorithm, _, encoded = digest.partition(":")
    return f"{algorithm[:32]}-{encoded[:64]}"[:_LONGEST_TAG]


def is_referrers_tag(tag: str) -> bool:
    """The tag is of an index of referrers."""
    return _TAG.fullmatch(tag) is not None


def merged(
    before: StoredManifest, new: StoredManifest, *, is_there: Callable[[str], bool] = lambda _: True
) -> StoredManifest:
    """The new index with the referrers that only the one before lists; the new one as it is if that lists no more.

    Args:
        before: The index so far.
        new: The one that takes its place.
        is_there: Tells whether the registry still has a manifest that the index before lists.
    """
    if not isinstance(before.content, Index) or not isinstance(new.content, Index):
        return new
    return _extended(new, [each for each in json.loads(before.data)["manifests"] or [] if is_there(each["digest"])])


def with_referrers(
    before: StoredManifest | None,
    referrers: Iterable[StoredManifest],
    *,
    is_there: Callable[[str], bool] = lambda _: True,
) -> StoredManifest:
    """An index with more referrers; the one before as it is if it lists them, or has another meaning.

    Args:
        before: The index so far.
        referrers: Those to add.
        is_there: Tells whether the registry still has a manifest that the index lists: it takes no index that lists
            one that was removed.
    """
    if before is None:
        before = _stored({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []})
    return _extended(before, map(_descriptor, referrers), is_there) if isinstance(before.content, Index) else before


def _extended(
    index: StoredManifest, descriptors: Iterable[Mapping[str, Any]], is_there: Callable[[str], bool] = lambda _: True
) -> StoredManifest:
    found = json.loads(index.data)
    known = {each["digest"]: each for each in found["manifests"] or []}
    added = {each["digest"]: each for each in descriptors if each["digest"] not in known}
    if not added:
        return index
    kept = [each for digest, each in known.items() if is_there(digest)]
    return _stored({**found, "manifests": [*kept, *added.values()]})


def _stored(index: Mapping[str, Any]) -> StoredManifest:
    data = json.dumps(index, separators=(",", ":")).encode()
    return StoredManifest(data, str(index.get("mediaType") or OCI_INDEX), digest_of(data))


def _descriptor(stored: StoredManifest) -> dict[str, Any]:
    """How an index of referrers describes one of them."""
    parsed = stored.content
    kind = parsed.artifact_type or (parsed.config.media_type if isinstance(parsed, Manifest) else None)
    return {
        "mediaType": parsed.media_type,
        "digest": stored.digest,
        "size": len(stored.data),
        **({"artifactType": kind} if kind else {}),
        **({"annotations": dict(parsed.annotations)} if parsed.annotations else {}),
    }
