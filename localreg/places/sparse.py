"""Indexes of which an archive has only a part, as Docker saves an image that was pulled for one platform.

A registry takes an index only with all that it refers to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from localreg.errors import InvalidArchiveError, LocalregError
from localreg.oci.manifest import DOCKER_MANIFEST, OCI_MANIFEST, Descriptor, Index
from localreg.places.content import Failed
from localreg.places.layout.source import LayoutSource
from localreg.places.port import Wanted
from localreg.system.command_line import Sentence

_DEEPEST = 16


@dataclass(frozen=True, slots=True)
class Narrowed:
    """An index that only one image is taken of."""

    wanted: Wanted
    index: str
    """The digest of the index."""

    def __str__(self) -> str:
        return (
            f"the archive does not have all content of `{self.wanted}`, so only the image for one platform is loaded: "
            f"{self.wanted.reference}, not the index {self.index}"
        )


def narrow(source: LayoutSource, wanted: Sequence[Wanted]) -> tuple[list[Wanted], list[Narrowed], Failed]:
    """Take the only image that an archive has of an index, instead of the index.

    Returns:
        What can be read; those of it that were an index; and the indexes of which it has several images, but not all.
    """
    # Most entries are no index, and need no look.
    plain = {entry.digest for entry in source.entries if entry.media_type in (OCI_MANIFEST, DOCKER_MANIFEST)}
    whole: dict[str, bool] = {}
    kept: list[Wanted] = []
    narrowed: list[Narrowed] = []
    failed: Failed = []
    for each in wanted:
        try:
            image = None if each.reference in plain else _only_image(source, each, whole)
        except LocalregError as exc:
            failed.append((each, exc))
            continue
        kept.append(each if image is None else replace(each, reference=image))
        if image is not None:
            narrowed.append(Narrowed(kept[-1], each.reference))
    return kept, narrowed, failed


def _only_image(source: LayoutSource, wanted: Wanted, whole: dict[str, bool]) -> str | None:
    """The digest of the only image of an index that the archive has; None if it is whole, or not an index."""
    found = source.read_manifest("", wanted.reference).content
    children = [child for child in found.manifests if child.is_manifest] if isinstance(found, Index) else []
    present = [child for child in children if _is_whole(source, child.digest, whole)]
    missing = [child for child in children if child not in present]
    if not missing:
        return None
    images = [child for child in present if not child.is_attestation]
    if len(images) == 1:
        return images[0].digest
    raise InvalidArchiveError(
        f"`{wanted}` is not whole: the archive lacks {', '.join(dict.fromkeys(map(_shown, missing)))}",
        hint=Sentence("save it again, with all of its platforms or with one"),
    )


def _is_whole(source: LayoutSource, digest: str, whole: dict[str, bool], depth: int = 0) -> bool:
    """The archive has a manifest and all that it refers to.

    Args:
        source: The archive.
        digest: That of the manifest.
        whole: What is known of others: indexes can list one another so often that looking anew would not end.
        depth: The levels above it.
    """
    if depth == _DEEPEST:
        # Reading the content tells an index that is nested too deeply.
        return True
    if digest not in whole:
        found = source.read_manifest("", digest).content if source.has(digest) else None
        if isinstance(found, Index):
            children = (child.digest for child in found.manifests if child.is_manifest)
            whole[digest] = all(_is_whole(source, child, whole, depth + 1) for child in children)
        else:
            whole[digest] = found is not None and all(
                source.has(blob.digest) for blob in (found.config, *found.layers) if not blob.is_foreign
            )
    return whole[digest]


def _shown(child: Descriptor) -> str:
    return "an attestation" if child.is_attestation else str(child.platform or child.digest)
