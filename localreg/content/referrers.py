"""The signatures, attestations and other artifacts about a manifest, and how they are found.

Docker BuildKit      in the same index, with an annotation
cosign until 2       the tag `sha256-HEX.sig`, `.att` or `.sbom`
cosign 3, oras       a manifest with a `subject`; without the referrers API also an index with the tag `sha256-HEX`
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from localreg.content.source import Source
from localreg.content.summary import Summarizer
from localreg.errors import LocalregError, RegistryUnreachableError
from localreg.oci.api import RegistryClient
from localreg.oci.artifact import Artifact, artifact_of
from localreg.oci.manifest import Descriptor, Index, Manifest

_ABOUT = "vnd.docker.reference.digest"
_PREDICATES = ("in-toto.io/predicate-type", "predicateType")
"""The annotations of a layer that name its kind of statement: BuildKit's, and cosign's."""
_BUNDLES_PREDICATE = "dev.sigstore.bundle.predicateType"


@dataclass(frozen=True, slots=True)
class Referrer:
    """An artifact about a manifest."""

    digest: str | None
    """None if the tag that it was found by cannot be read."""
    subject: str | None
    """The digest of the manifest that it is about."""
    tag: str | None = None
    """The tag that it was found by; None for the one of an index, and for one that only its `subject` tells of."""
    artifact: Artifact | None = None
    """None for an image, and if it cannot be read."""
    media_type: str = ""
    size: int | None = None
    """Bytes of its config and layers."""
    created: datetime | None = None
    """Aware."""
    predicates: tuple[str, ...] = ()
    """The kinds of statement in an attestation, such as `https://slsa.dev/provenance/v1`."""
    error: str | None = None
    """Why it cannot be read."""


def attestations_in(index: Index) -> list[Referrer]:
    """BuildKit's attestations in an index, not read yet."""
    return [
        _described(child, Referrer(child.digest, child.annotations.get(_ABOUT)))
        for child in index.manifests
        if child.is_attestation
    ]


def find_by_tag(source: Source, repository: str, tags: Iterable[str], subjects: Sequence[str]) -> list[Referrer]:
    """Find what the names of tags tell to be about manifests, not read yet.

    Args:
        source: The registry.
        repository: Its name.
        tags: The tags of the repository.
        subjects: The digests of the manifests.
    """
    by_stem = {_stem(subject): subject for subject in subjects}
    named = [(tag, by_stem.get(tag.partition(".")[0])) for tag in sorted(tags)]
    return [found for tag, subject in named if subject for found in _with_tag(source, repository, tag, subject)]


def _with_tag(source: Source, repository: str, tag: str, subject: str) -> Iterator[Referrer]:
    try:
        stored = source.get_manifest(repository, tag)
        parsed = stored.content
    except RegistryUnreachableError:
        raise
    except LocalregError as exc:
        yield Referrer(None, subject, tag, error=exc.message)
        return
    if isinstance(parsed, Index) and tag == _stem(subject):
        yield from (_described(child, Referrer(child.digest, subject, tag)) for child in parsed.manifests)
    else:
        yield Referrer(stored.digest, subject, tag, media_type=parsed.media_type)


def _stem(digest: str) -> str:
    """The tag of the index with the referrers of a manifest, which other tags begin with."""
    return digest.replace(":", "-", 1)


def find_listed(client: RegistryClient, repository: str, subjects: Sequence[str]) -> Iterator[Referrer]:
    """Find what the referrers API of a registry lists about manifests, not read yet."""
    for subject, listed in client.list_referrers(repository, subjects).items():
        yield from (_described(one, Referrer(one.digest, subject)) for one in listed)


def _described(child: Descriptor, referrer: Referrer) -> Referrer:
    return replace(referrer, artifact=artifact_of(child), media_type=child.media_type)


def without_repeats(referrers: Iterable[Referrer]) -> list[Referrer]:
    """Each referrer once, with the tag that it was found by if there is one."""
    found: dict[tuple[str | None, str | None], Referrer] = {}
    for referrer in sorted(referrers, key=lambda referrer: referrer.tag is None):
        found.setdefault((referrer.digest or referrer.tag, referrer.subject), referrer)
    return list(found.values())


def read_referrer(source: Source, summarizer: Summarizer, repository: str, referrer: Referrer) -> Referrer:
    """Read the manifest of a referrer. If it cannot be read, its error tells."""
    if referrer.digest is None:
        return referrer
    try:
        stored = source.get_manifest(repository, referrer.digest)
        parsed = stored.content
        summary = summarizer.summarize(repository, stored)
    except RegistryUnreachableError:
        raise
    except LocalregError as exc:
        return replace(referrer, error=exc.message)
    return replace(
        referrer,
        artifact=summary.artifact,
        media_type=parsed.media_type,
        size=sum(size for _, size in summary.blobs),
        created=summary.created,
        predicates=_predicates_of(parsed) if isinstance(parsed, Manifest) else (),
    )


def _predicates_of(manifest: Manifest) -> tuple[str, ...]:
    named = [manifest.annotations.get(_BUNDLES_PREDICATE)]
    named += [layer.annotations.get(name) for layer in manifest.layers for name in _PREDICATES]
    return tuple(dict.fromkeys(filter(None, named)))
