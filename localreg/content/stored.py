"""Manifests and configs of a registry, read from its volume many at a time."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator

from localreg.content.summary import Config, Content, read_config
from localreg.errors import RegistryError, RepositoryNotFoundError
from localreg.oci.api import StoredManifest
from localreg.oci.manifest import MANIFEST_TYPES, Descriptor, Index
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
        self._configs: dict[str, Config] = {}

    def read(self, digests: Iterable[str]) -> None:
        """Read manifests with their children and configs, instead of those that were read before."""
        self._manifests.clear()
        self._configs.clear()
        for digest, found in iter_content(self._volume, digests):
            if isinstance(found, StoredManifest):
                self._manifests[digest] = found
            else:
                self._configs[digest] = read_config(found)

    def get_manifest(self, repository: str, reference: str) -> StoredManifest:
        """A manifest or an index."""
        stored = self._manifests.get(reference)
        if stored is not None and (repository, reference) in self._links.revisions:
            return stored
        if self._registry is None:
            raise RepositoryNotFoundError(f"the registry's volume does not have `{repository}@{reference}`")
        return self._registry.get_manifest(repository, reference)

    def get_config(self, repository: str, digest: str) -> Config:
        """A config."""
        config = self._configs.get(digest)
        if config is not None:
            return config
        if self._registry is None:
            raise RepositoryNotFoundError(f"the registry's volume does not have blob {digest}")
        return self._registry.get_config(repository, digest)


def iter_content(
    volume: Volume, digests: Iterable[str], *, known: Container[str] = ()
) -> Iterator[tuple[str, StoredManifest | bytes]]:
    """Read manifests with their children and their images' configs, but no attestations.

    Args:
        volume: The registry's.
        digests: Those of the manifests.
        known: The digests that need not be read.

    Returns:
        The digest of each, and the manifest or the bytes of the config.
    """
    manifests, configs, seen = set(digests), set[str](), set[str]()
    for _ in range(_DEEPEST):
        wanted = {digest for digest in manifests | configs if digest not in known} - seen
        if not wanted:
            return
        seen |= wanted
        found: list[StoredManifest] = []
        for digest, data in volume.read_blobs(wanted):
            if digest in manifests:
                found.append(StoredManifest(data, "", digest))
                yield digest, found[-1]
            if digest in configs:
                yield digest, data
        manifests, configs = set(), set()
        for manifest in found:
            _add_parts(manifest, manifests, configs)


def _add_parts(stored: StoredManifest, manifests: set[str], configs: set[str]) -> None:
    """Add the digests of an index's children, or of an image's config."""
    try:
        content = stored.content
    except RegistryError:
        # It is the error of its tag later.
        return
    if isinstance(content, Index):
        manifests.update(child.digest for child in content.manifests if _is_listed(child))
    elif content.is_image:
        configs.add(content.config.digest)


def _is_listed(child: Descriptor) -> bool:
    return child.media_type in MANIFEST_TYPES and not child.is_attestation
