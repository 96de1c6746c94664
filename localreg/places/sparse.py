"""Indexes of which an archive has only a part, as Docker saves an image that was pulled for one platform.

A registry takes an index only with all that it refers to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from localreg.errors import InvalidArchiveError, LocalregError
from localreg.oci.manifest import DOCKER_MANIFEST, OCI_MANIFEST, Descriptor, Index
from localreg.places.content import Failed, naming
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
    # Most entries are not an index, and need not be read.
    plain = {entry.digest for entry in source.entries if entry.media_type in (OCI_MANIFEST, DOCKER_MANIFEST)}
    whole: dict[str, bool] = {}
    # Many names can lead to one index.
    looks: dict[str, _Look | LocalregError] = {}
    kept: list[Wanted] = []
    narrowed: list[Narrowed] = []
    failed: Failed = []
    for each in wanted:
        if each.reference in plain:
            kept.append(each)
            continue
        if each.reference not in looks:
            looks[each.reference] = _look(source, each.reference, whole)
        found = looks[each.reference]
        if isinstance(found, LocalregError):
            failed.append((each, naming(each, found)))
        elif not found.missing:
            kept.append(each)
        elif len(found.images) == 1:
            kept.append(replace(each, reference=found.images[0]))
            narrowed.append(Narrowed(kept[-1], each.reference))
        else:
            failed.append((each, _not_whole(each, found.missing)))
    return kept, narrowed, failed


@dataclass(frozen=True, slots=True)
class _Look:
    """What an archive has of an index; nothing is missing of what is not an index."""

    images: Sequence[str] = ()
    """The digests of the images that are whole."""
    missing: Sequence[str] = ()
    """What is not, in words."""


def _look(source: LayoutSource, digest: str, whole: dict[str, bool]) -> _Look | LocalregError:
    try:
        found = source.read_manifest("", digest).content
        children = [child for child in found.manifests if child.is_manifest] if isinstance(found, Index) else []
        is_there = [_is_whole(source, child.digest, whole) for child in children]
    except LocalregError as exc:
        return exc
    parts = list(zip(children, is_there, strict=True))
    return _Look(
        [child.digest for child, is_whole in parts if is_whole and not child.is_attestation],
        list(dict.fromkeys(_shown(child) for child, is_whole in parts if not is_whole)),
    )


def _not_whole(wanted: Wanted, missing: Sequence[str]) -> LocalregError:
    return InvalidArchiveError(
        f"`{wanted}` is not whole: the archive lacks {', '.join(missing)}",
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
