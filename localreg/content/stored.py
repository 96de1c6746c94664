"""Manifests and configs of a registry, read from its volume many at a time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from localreg.content.summary import Content
from localreg.errors import RepositoryNotFoundError
from localreg.oci.api import StoredManifest
from localreg.oci.manifest import IMAGE_CONFIGS, MANIFEST_TYPES, OCI_INDEX, OCI_MANIFEST, UNREADABLE
from localreg.registry.volume import Volume
from localreg.registry.volume_layout import Links

_DEEPEST = 4
"""How deep indexes of indexes are followed."""


class StoredContent:
    """Reads from a volume what it is told to, and all else from the registry.

    Args:
        volume: The registry's.
        links: The links in it.
        registry: The source of all else; None if this machine cannot reach the registry.
    """

    def __init__(self, volume: Volume, links: Links, registry: Content | None) -> None:
        self._volume = volume
        self._links = links
        self._registry = registry
        self._manifests: dict[str, StoredManifest] = {}
        self._configs: dict[str, bytes] = {}

    def read(self, digests: Iterable[str]) -> None:
        """Read manifests with their children and configs, instead of those that were read before."""
        self._manifests.clear()
        self._configs.clear()
        manifests, configs = set(digests), set[str]()
        for _ in range(_DEEPEST):
            found = dict(self._volume.read_blobs(manifests | configs))
            self._configs |= {digest: found[digest] for digest in configs & found.keys()}
            stored = {digest: _stored(digest, found[digest]) for digest in manifests & found.keys()}
            self._manifests |= {digest: manifest for digest, (manifest, _) in stored.items()}
            parts = {part for _, parsed in stored.values() for part in _parts(parsed)}
            manifests = {digest for digest, is_config in parts if not is_config} - self._manifests.keys()
            configs = {digest for digest, is_config in parts if is_config} - self._configs.keys()
            if not manifests and not configs:
                break

    def get_manifest(self, repository: str, reference: str) -> StoredManifest:
        """A manifest or an index."""
        stored = self._manifests.get(reference)
        if stored is not None and (repository, reference) in self._links.revisions:
            return stored
        if self._registry is None:
            raise RepositoryNotFoundError(f"the registry's volume does not have `{repository}@{reference}`")
        return self._registry.get_manifest(repository, reference)

    def get_blob(self, repository: str, digest: str) -> bytes:
        """A config."""
        config = self._configs.get(digest)
        if config is not None:
            return config
        if self._registry is None:
            raise RepositoryNotFoundError(f"the registry's volume does not have blob {digest}")
        return self._registry.get_blob(repository, digest)


def _stored(digest: str, data: bytes) -> tuple[StoredManifest, dict[str, Any]]:
    """A manifest and its parsed JSON, with the media type that the registry would send."""
    try:
        parsed = json.loads(data)
        kind = parsed.get("mediaType") or (OCI_INDEX if "manifests" in parsed else OCI_MANIFEST)
        return StoredManifest(data, str(kind), digest), parsed
    except UNREADABLE:
        return StoredManifest(data, "", digest), {}


def _parts(parsed: dict[str, Any]) -> Iterator[tuple[str, bool]]:
    """The digests of an index's children and of an image's config, and whether it is a config."""
    try:
        children = [(str(child["digest"]), False) for child in parsed.get("manifests") or () if _is_manifest(child)]
        config = parsed.get("config") or {}
        yield from children
        if config.get("mediaType") in IMAGE_CONFIGS:
            yield str(config["digest"]), True
    except UNREADABLE:
        # `parse_manifest` tells later what is wrong.
        return


def _is_manifest(child: dict[str, Any]) -> bool:
    return child.get("mediaType") in MANIFEST_TYPES
