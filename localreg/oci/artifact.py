"""Artifacts: the manifests that are not container images, and short names for their media types."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from localreg.oci.manifest import EMPTY_CONFIG_TYPE, Descriptor, Index, Manifest

UNKNOWN = "artifact"
"""The kind of an artifact that has no type, or an unknown one."""
_NAMELESS = "vnd.unknown."
"""The types that oras gives what it is told no type for."""

_KINDS = (
    ("cncf.helm.", "Helm chart"),
    ("cosign.simplesigning", "signature"),
    ("cncf.notary.signature", "signature"),
    ("dev.sigstore.bundle", "Sigstore bundle"),
    ("dsse.envelope", "attestation"),
    ("in-toto", "attestation"),
    ("docker.attestation", "attestation"),
    ("spdx", "SBOM"),
    ("cyclonedx", "SBOM"),
    ("vnd.syft", "SBOM"),
    ("wasm", "WebAssembly"),
    ("buildkit.cacheconfig", "build cache"),
    ("docker.plugin", "Docker plugin"),
    ("docker.compose", "Compose project"),
    ("cncf.flux.", "Flux source"),
    ("cncf.openpolicyagent", "OPA bundle"),
    ("sylabs.sif", "Singularity image"),
    ("docker.ai.model", "AI model"),
    ("cncf.model", "AI model"),
    ("ollama.image", "AI model"),
)
"""A part of a media type, and the kind of artifact that has it."""

KINDS = ("image", *dict.fromkeys(kind for _, kind in _KINDS), UNKNOWN)
"""Every kind of what a registry stores."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """The kind of something that is not a container image."""

    kind: str
    """A few words for people, such as `Helm chart`; `artifact` for an unknown type."""
    media_type: str | None
    """The type that tells; None if there is none."""

    def __str__(self) -> str:
        says_nothing = self.media_type is None or _NAMELESS in self.media_type
        return self.kind if self.kind != UNKNOWN or says_nothing else str(self.media_type)


def artifact_of(found: Manifest | Index | Descriptor) -> Artifact | None:
    """The kind that a manifest, an index or a descriptor names; None for an image and for an index of images.

    Cosign, BuildKit and others store artifacts with the config of an image: their layers tell.
    """
    known = _known(found.artifact_type)
    if isinstance(found, Index):
        return known
    if isinstance(found, Descriptor):
        return known or _known(found.media_type)
    if found.is_image:
        return known or next(filter(None, (_known(layer.media_type) for layer in found.layers)), None)
    config = found.config.media_type if found.config.media_type != EMPTY_CONFIG_TYPE else None
    return known or _known(config) or Artifact(UNKNOWN, found.artifact_type or config or None)


@lru_cache(maxsize=256)
def _known(media_type: str | None) -> Artifact | None:
    lowered = (media_type or "").lower()
    kind = next((kind for part, kind in _KINDS if part in lowered), None)
    return Artifact(kind, media_type) if kind else None
