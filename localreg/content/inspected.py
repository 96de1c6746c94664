"""A manifest with its config and layers, as `inspect` shows it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from localreg.content.source import Source
from localreg.content.summary import Summarizer, Summary
from localreg.errors import LocalregError, RegistryError, RegistryUnreachableError, RepositoryNotFoundError
from localreg.oci.api import StoredManifest
from localreg.oci.artifact import Artifact, artifact_of
from localreg.oci.config import HistoryEntry, ImageConfig, parse_config
from localreg.oci.manifest import Descriptor, Index, Manifest


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer of an image, or another part of an artifact."""

    blob: Descriptor
    step: HistoryEntry | None = None
    """The step of the build that made it; None if the history does not tell."""
    shared_with: tuple[str, ...] | None = None
    """The tags of other manifests that have it, as `repository:tag`; None if that was not looked up."""

    @property
    def title(self) -> str:
        """The name of the file that it holds, as artifacts have it; empty if it has none."""
        return self.blob.annotations.get("org.opencontainers.image.title", "")


@dataclass(frozen=True, slots=True)
class InspectedManifest:
    """A manifest, or one in an index."""

    digest: str
    media_type: str
    platform: str | None = None
    size: int | None = None
    """Bytes of its config and layers."""
    created: datetime | None = None
    """Aware."""
    artifact: Artifact | None = None
    """The kind of artifact; None for an image."""
    config_blob: Descriptor | None = None
    config: ImageConfig | None = None
    """None if it is not an image's, or cannot be read."""
    layers: tuple[Layer, ...] = ()
    problems: tuple[str, ...] = ()
    """Why a pull of it would fail."""

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """Its config and layers."""
        config = () if self.config_blob is None else (self.config_blob,)
        return (*config, *(layer.blob for layer in self.layers))


class ManifestReader:
    """Reads manifests with their configs.

    Args:
        source: The registry.
        summarizer: Of the same registry.
        repository: Its name.
    """

    def __init__(self, source: Source, summarizer: Summarizer, repository: str) -> None:
        self._source = source
        self._summarizer = summarizer
        self._repository = repository

    def read_all(self, stored: StoredManifest) -> list[InspectedManifest]:
        """Read a manifest, or those in an index without attestations.

        Raises:
            RegistryError: it is neither.
        """
        parsed = stored.content
        if isinstance(parsed, Manifest):
            return [self._read(stored)]
        images = [child for child in parsed.manifests if not child.is_attestation]
        manifests = [self._read_child(child) for child in images if child.is_manifest]
        # BuildKit also writes indexes of layers.
        parts = tuple(Layer(child) for child in images if not child.is_manifest)
        return [replace(self._read(stored), layers=parts), *manifests] if parts else manifests

    def _read_child(self, child: Descriptor) -> InspectedManifest:
        platform = str(child.platform) if child.platform else None
        try:
            found = self._read(self._source.get_manifest(self._repository, child.digest))
        except RegistryUnreachableError:
            raise
        except LocalregError as exc:
            problems = (exc.message,)
            return InspectedManifest(
                child.digest, child.media_type, platform, artifact=artifact_of(child), problems=problems
            )
        return replace(found, platform=platform or found.platform)

    def _read(self, stored: StoredManifest) -> InspectedManifest:
        parsed = stored.content
        summary, problem = self._summarize(parsed, stored)
        found = InspectedManifest(
            stored.digest,
            parsed.media_type,
            ", ".join(map(str, summary.platforms)) or None,
            None if problem else sum(size for _, size in summary.blobs),
            summary.created,
            summary.artifact,
            problems=(problem,) if problem else (),
        )
        if isinstance(parsed, Index):
            return found
        config = None
        if summary.artifact is None:
            # The problem above tells why.
            with contextlib.suppress(RepositoryNotFoundError, RegistryError):
                config = parse_config(self._source.get_blob(self._repository, parsed.config.digest))
        return replace(found, config_blob=parsed.config, config=config, layers=tuple(_layers_of(parsed, config)))

    def _summarize(self, parsed: Manifest | Index, stored: StoredManifest) -> tuple[Summary, str | None]:
        try:
            return self._summarizer.summarize(self._repository, stored), None
        except RegistryUnreachableError:
            raise
        except LocalregError as exc:
            return Summary(artifact=artifact_of(parsed)), exc.message


def compared(
    manifest: InspectedManifest, sharers: Mapping[str, tuple[str, ...]], sizes: Mapping[str, int] | None
) -> InspectedManifest:
    """Add what the rest of the registry tells.

    Args:
        manifest: As it was read.
        sharers: By digest, the other tags that have a layer.
        sizes: Bytes of the files of its config and layers; None if they are not known.
    """
    layers = tuple(replace(layer, shared_with=sharers.get(layer.blob.digest, ())) for layer in manifest.layers)
    damages = () if sizes is None else tuple(_damages(manifest, sizes))
    return replace(manifest, layers=layers, problems=damages or manifest.problems)


def _layers_of(manifest: Manifest, config: ImageConfig | None) -> Iterator[Layer]:
    steps = [step for step in config.history if not step.is_empty] if config else []
    told = len(steps) == len(manifest.layers)
    return (Layer(blob, steps[number] if told else None) for number, blob in enumerate(manifest.layers))


def _damages(manifest: InspectedManifest, sizes: Mapping[str, int]) -> Iterator[str]:
    """The damage of each file of a manifest's config and layers."""
    for blob in manifest.blobs:
        name = "config" if blob is manifest.config_blob else "layer"
        if blob.is_foreign or not blob.digest.startswith("sha256:"):
            continue
        if blob.digest not in sizes:
            yield f"{name} {blob.digest} is missing"
        elif sizes[blob.digest] != blob.size:
            yield f"{name} {blob.digest} has {sizes[blob.digest]} bytes instead of {blob.size}"
