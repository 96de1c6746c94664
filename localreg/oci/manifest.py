"""Reading manifests and indexes, of the OCI image specification and of Docker.

See https://github.com/opencontainers/image-spec and https://distribution.github.io/distribution/spec/manifest-v2-2/.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from sys import intern
from types import MappingProxyType
from typing import Any

from localreg.errors import RegistryError

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"

MANIFEST_TYPES = (OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_INDEX)
"""Accept all four: for a missing type, a registry converts the manifest or hides it."""

IMAGE_CONFIGS = frozenset(
    {"application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"}
)
"""The media types of an image's config; a manifest with another config is another kind of artifact."""

UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError)
"""The errors of reading unexpected JSON, also with huge numbers or very deep nesting."""

EMPTY_CONFIG_TYPE = "application/vnd.oci.empty.v1+json"
EMPTY_CONFIG = b"{}"
"""The empty config of the image specification."""

_INDEXES = frozenset({OCI_INDEX, DOCKER_INDEX})
_FOREIGN = (".foreign.", ".nondistributable.")
_ATTESTATION = "vnd.docker.reference.type"
_NO_ANNOTATIONS: Mapping[str, str] = MappingProxyType({})
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Platform:
    """The platform that an image runs on."""

    os: str
    architecture: str
    variant: str | None = None
    os_version: str | None = None
    """For Windows images, which run on one release of Windows only: `10.0.20348.1006`."""

    def __str__(self) -> str:
        # As `docker buildx imagetools inspect` spells it: `windows(10.0.20348.1006)/amd64`.
        system = f"{self.os}({self.os_version})" if self.os_version else self.os
        return "/".join(filter(None, (system, self.architecture, self.variant)))


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A reference from a manifest or an index to a stored blob or manifest."""

    media_type: str
    digest: str
    size: int
    """Bytes, as stored."""
    platform: Platform | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)
    artifact_type: str | None = None
    urls: tuple[str, ...] = ()
    """Other places that have the content."""

    @property
    def is_manifest(self) -> bool:
        """It refers to a manifest or an index; BuildKit also writes indexes of layers. Without a type, it may."""
        return self.media_type in (*MANIFEST_TYPES, "")

    @property
    def is_foreign(self) -> bool:
        """It is a layer that only `urls` have, such as those of Windows: the registry does not store it."""
        return bool(self.urls) and any(part in self.media_type for part in _FOREIGN)

    @property
    def is_cut(self) -> bool:
        """It is compressed, but has no bytes: an engine took over the length of a file that a full disk had cut."""
        return self.size == 0 and self.media_type.endswith("gzip")

    @property
    def is_attestation(self) -> bool:
        """It describes an image, as BuildKit's attestations do, and is not one itself."""
        unknown = self.platform is not None and self.platform.os == self.platform.architecture == "unknown"
        return unknown or _ATTESTATION in self.annotations


@dataclass(frozen=True, slots=True)
class Manifest:
    """An image for one platform, or another artifact."""

    media_type: str
    config: Descriptor
    layers: tuple[Descriptor, ...]
    annotations: Mapping[str, str] = field(default_factory=dict)
    artifact_type: str | None = None
    subject: str | None = None
    """The digest of the manifest that it is about."""

    @property
    def is_image(self) -> bool:
        """Its config describes an image."""
        return self.config.media_type in IMAGE_CONFIGS


@dataclass(frozen=True, slots=True)
class Index:
    """Manifests, usually of one image for several platforms."""

    media_type: str
    manifests: tuple[Descriptor, ...]
    annotations: Mapping[str, str] = field(default_factory=dict)
    artifact_type: str | None = None
    subject: str | None = None
    """The digest of the manifest that it is about."""


def parse_manifest(data: bytes, media_type: str | None = None) -> Manifest | Index:
    """Read a manifest or an index.

    Args:
        data: As the registry stores it.
        media_type: As the registry sent it; None for the manifest's own.

    Raises:
        RegistryError: it is neither.
    """
    try:
        found = json.loads(data)
        kind = str(media_type or found.get("mediaType") or "").partition(";")[0].strip()
        if kind not in MANIFEST_TYPES:
            kind = found.get("mediaType") or (OCI_INDEX if "manifests" in found else OCI_MANIFEST)
        if found.get("schemaVersion") == 1:
            raise RegistryError("its manifest has schema version 1, which is not supported")
        annotations, artifact_type = _annotations(found), _text(found.get("artifactType"))
        subject = _text((found.get("subject") or {}).get("digest"))
        if kind in _INDEXES:
            return Index(kind, tuple(map(_descriptor, found["manifests"] or ())), annotations, artifact_type, subject)
        layers = tuple(map(_descriptor, found.get("layers") or ()))
        return Manifest(kind, _descriptor(found["config"]), layers, annotations, artifact_type, subject)
    except UNREADABLE as exc:
        raise RegistryError("its manifest is invalid", details=[f"{type(exc).__name__}: {exc}"]) from exc


def _descriptor(found: Mapping[str, Any]) -> Descriptor:
    platform = found.get("platform")
    # One object for all descriptors that say the same: `ls` has those of thousands of images.
    digest = intern(str(found["digest"]))
    if not _DIGEST.fullmatch(digest):
        raise ValueError(f"`{digest}` is not a digest")
    return Descriptor(
        media_type=intern(str(found.get("mediaType") or "")),
        digest=digest,
        size=max(int(found.get("size") or 0), 0),
        platform=None if not platform else read_platform(platform),
        annotations=_annotations(found),
        artifact_type=_text(found.get("artifactType")),
        urls=tuple(map(str, found.get("urls") or ())),
    )


def _annotations(found: Mapping[str, Any]) -> Mapping[str, str]:
    annotations = found.get("annotations")
    return {key: str(value) for key, value in annotations.items()} if annotations else _NO_ANNOTATIONS


def _text(found: object) -> str | None:
    return str(found) if found else None


def read_platform(found: Mapping[str, Any]) -> Platform | None:
    """Read the platform in a descriptor or a config; None if it has none."""
    if not found.get("os") and not found.get("architecture"):
        return None
    return Platform(
        str(found.get("os") or "unknown"),
        str(found.get("architecture") or "unknown"),
        _text(found.get("variant")),
        _text(found.get("os.version")),
    )
