"""`inspect`: everything that a registry stores about a tag or a digest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property

from localreg.content.found import Found, choose, find
from localreg.content.inspected import InspectedManifest, ManifestReader, compared
from localreg.content.referrers import (
    Referrer,
    attestations_in,
    find_by_tag,
    find_listed,
    read_referrer,
    without_repeats,
)
from localreg.content.repository import read_repository
from localreg.content.sharing import Surroundings, read_surroundings
from localreg.content.short_digest import is_cut, read_reference
from localreg.content.source import HttpSource, Source, VolumeSource
from localreg.content.summary import Summarizer, Summary
from localreg.errors import LocalregError, RegistryError, RegistryUnreachableError, UsageError
from localreg.oci.api import RegistryClient
from localreg.oci.artifact import Artifact, artifact_of
from localreg.oci.manifest import Descriptor, Index, Manifest, Platform
from localreg.registry.container import Registry
from localreg.registry.volume import WritableVolume
from localreg.system.command_line import CommandLine


@dataclass(frozen=True, slots=True)
class Inspected:
    """All that is known about a manifest or an index; without a media type, it was only found."""

    found: Found
    is_index: bool = False
    media_type: str = ""
    platforms: tuple[str, ...] = ()
    size: int | None = None
    """Bytes of configs and layers as stored, each once."""
    created: datetime | None = None
    """Aware; the creation time of its newest image."""
    artifact: Artifact | None = None
    """The kind of artifact; None for an image and an index of images."""
    pushed: datetime | None = None
    """Aware; the last push to the tag, or of the digest; None if only the volume would tell it."""
    same_as: tuple[str, ...] | None = None
    """The other tags of the same digest, as `repository:tag`; None if they were not looked up."""
    subject: str | None = None
    """The digest of the manifest that it is about."""
    annotations: Mapping[str, str] = field(default_factory=dict)
    manifests: tuple[InspectedManifest, ...] = ()
    """Itself, or those in the index, without attestations; of an index of layers, itself with these layers."""
    attestations: tuple[Referrer, ...] = ()
    """Those in the index."""
    referrers: tuple[Referrer, ...] = ()
    not_looked_up: str | None = None
    """Why the rest of the registry was not read."""

    @property
    def children(self) -> tuple[InspectedManifest, ...]:
        """Those in the index."""
        return tuple(one for one in self.manifests if one.digest != self.found.stored.digest)

    @property
    def only(self) -> InspectedManifest | None:
        """The only manifest with content: itself, or that of an index of one image."""
        return self.manifests[0] if len(self.manifests) == 1 else None


class Inspector:
    """Reads what a registry stores about manifests.

    Args:
        registry: The registry.
        client: A client of it; None if this machine cannot reach it.
        volume: Its volume; None if only HTTP leads to it.

    Raises:
        EngineError: there is no client, and the volume cannot be read.
    """

    def __init__(self, registry: Registry, client: RegistryClient | None, volume: WritableVolume | None) -> None:
        self._registry = registry
        self._client = client
        self._volume = volume
        self._source = _source_of(client, volume)
        self._summarizer = Summarizer(self._source)

    def find(self, name: str, *, platform: Platform | None = None) -> Found:
        """Find a manifest.

        Args:
            name: A reference, whose digest may be cut; without a tag and a digest, the tag is `latest`.
            platform: The platform to choose from an index.

        Raises:
            InvalidReferenceError: it is not a valid reference.
            UsageError: several digests begin with the one that was cut.
            NotFoundError: the registry does not have it, or not for this platform.
            RegistryError: it cannot be read.
        """
        reference = self._registry.reference_of(read_reference(name))
        if reference.digest is not None and is_cut(reference.digest):
            known = read_repository(self._client, self._volume, reference.repository)
            reference = replace(reference, digest=known.find(reference.digest))
        found = find(self._source, name, reference)
        return found if platform is None else choose(self._source, found, platform)

    def read_config(self, found: Found) -> bytes:
        """The bytes of a manifest's config.

        Raises:
            UsageError: it is an index of several images, or of none.
            RegistryError: it cannot be read.
            RepositoryNotFoundError: the config is missing.
        """
        parsed = self._parse(found)
        if isinstance(parsed, Manifest):
            return self._source.get_blob(found.repository, parsed.config.digest)
        images = [child for child in parsed.manifests if child.is_manifest and not child.is_attestation]
        if len(images) == 1:
            stored = self._source.get_manifest(found.repository, images[0].digest)
            return self.read_config(replace(found, stored=stored, part_of=found.stored.digest))
        platforms = self._summarizer.summarize(found.repository, found.stored).platforms
        named = ["--platform", str(platforms[0])] if platforms else []
        raise UsageError(
            f"`{found.short}` is an index, and each of its images has its own config",
            hint=CommandLine("inspect", found.short, "--config", *named),
        )

    def inspect(self, found: Found) -> Inspected:
        """Read all about a manifest.

        Raises:
            RegistryError: it is not a manifest, or the registry can no longer be read.
        """
        parsed, repository = self._parse(found), found.repository
        around, reason = self._around
        children = [child for child in _children_of(parsed) if not child.is_attestation]
        subjects = [found.stored.digest, *(child.digest for child in children if child.is_manifest)]
        referrers = without_repeats(self._find_referrers(repository, subjects, around))
        attestations = self._attestations_of(found, parsed)
        self._source.prepare({one.digest for one in (*attestations, *referrers) if one.digest})
        manifests = ManifestReader(self._source, self._summarizer, repository).read_all(found.stored)
        if around is not None:
            blobs = {blob.digest for manifest in manifests for blob in manifest.blobs}
            sharers = around.find_sharers(blobs, besides={found.stored.digest, found.top})
            # The volume of a cache lacks what nothing has pulled yet.
            sizes = around.read_sizes(blobs) if self._registry.is_ours else None
            manifests = [compared(manifest, sharers, sizes) for manifest in manifests]
        try:
            summary = self._summarizer.summarize(repository, found.stored)
            size = sum(size for _, size in summary.blobs)
        except RegistryUnreachableError:
            raise
        except LocalregError:
            # The manifest in question has the reason.
            summary, size = Summary(artifact=artifact_of(parsed)), None
        return Inspected(
            found,
            is_index=isinstance(parsed, Index),
            media_type=parsed.media_type,
            platforms=tuple(map(str, summary.platforms)),
            size=size,
            created=summary.created,
            artifact=summary.artifact,
            pushed=None if around is None else around.find_push(found),
            same_as=None if around is None else around.others_of(found),
            subject=parsed.subject,
            annotations=parsed.annotations,
            manifests=tuple(manifests),
            attestations=tuple(self._read_each(repository, attestations)),
            referrers=tuple(self._read_each(repository, referrers)),
            not_looked_up=reason,
        )

    def _parse(self, found: Found) -> Manifest | Index:
        try:
            return found.stored.content
        except RegistryError as exc:
            raise exc.with_(
                message=f"`{found.short}` cannot be read: {exc.message}",
                hint=CommandLine("inspect", found.short, "--raw"),
            ) from exc

    @cached_property
    def _around(self) -> tuple[Surroundings | None, str | None]:
        """The registry around its manifests, or why it is not known."""
        try:
            return read_surroundings(self._client, self._volume), None
        except RegistryUnreachableError:
            raise
        except RegistryError as exc:
            return None, exc.message

    def _find_referrers(
        self, repository: str, subjects: Sequence[str], around: Surroundings | None
    ) -> Iterator[Referrer]:
        yield from find_by_tag(self._source, repository, self._source.list_tags(repository), subjects)
        if around is not None:
            known = around.graph.referrers
            yield from (Referrer(one, subject) for subject in subjects for one in known.get((repository, subject), ()))
        if self._client is not None and (around is None or around.volume is None):
            yield from find_listed(self._client, repository, subjects)

    def _read_each(self, repository: str, referrers: Sequence[Referrer]) -> Iterator[Referrer]:
        return (read_referrer(self._source, self._summarizer, repository, one) for one in referrers)

    def _attestations_of(self, found: Found, parsed: Manifest | Index) -> list[Referrer]:
        """BuildKit's attestations of an index, or of the manifest that was chosen from it."""
        if isinstance(parsed, Index):
            return attestations_in(parsed)
        if found.part_of is None:
            return []
        stored = self._source.get_manifest(found.repository, found.part_of)
        index = stored.content
        of_index = attestations_in(index) if isinstance(index, Index) else []
        return [one for one in of_index if one.subject == found.stored.digest]


def _source_of(client: RegistryClient | None, volume: WritableVolume | None) -> Source:
    if client is not None:
        return HttpSource(client)
    if volume is None:
        raise ValueError("there is neither a client nor a volume")
    return VolumeSource(volume)


def _children_of(parsed: Manifest | Index) -> tuple[Descriptor, ...]:
    return parsed.manifests if isinstance(parsed, Index) else ()
