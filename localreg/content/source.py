"""The two sources of single manifests: a registry over HTTP, and the volume of one that this machine cannot reach."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from localreg.content.stored import iter_content
from localreg.content.summary import Config, Content, read_config
from localreg.errors import RegistryError, RepositoryNotFoundError
from localreg.oci.api import RegistryClient, StoredManifest
from localreg.registry.volume import Volume


class Source(Content, Protocol):
    """Manifests, configs and the names of tags; each digest is read once."""

    def get_blob(self, repository: str, digest: str) -> bytes:
        """A config, or another small blob.

        Raises:
            RepositoryNotFoundError: the repository does not have it.
        """

    def list_tags(self, repository: str) -> list[str]:
        """The tags of a repository; none if there is no such repository."""

    def prepare(self, digests: Iterable[str]) -> None:
        """Read manifests with their children and configs, if that is faster for all of them together."""


class HttpSource:
    """A registry over HTTP.

    Args:
        client: A client of the registry.
    """

    def __init__(self, client: RegistryClient) -> None:
        self._client = client
        self._manifests: dict[tuple[str, str], StoredManifest] = {}
        self._blobs: dict[tuple[str, str], bytes] = {}

    def get_manifest(self, repository: str, reference: str) -> StoredManifest:
        """A manifest or an index."""
        known = self._manifests.get((repository, reference))
        if known is None:
            known = self._client.get_manifest(repository, reference)
            # Not by its tag, which may move.
            self._manifests[repository, known.digest] = known
        return known

    def get_config(self, repository: str, digest: str) -> Config:
        """A config."""
        return read_config(self.get_blob(repository, digest))

    def get_blob(self, repository: str, digest: str) -> bytes:
        """A config, or another small blob."""
        if (repository, digest) not in self._blobs:
            self._blobs[repository, digest] = self._client.get_blob(repository, digest)
        return self._blobs[repository, digest]

    def list_tags(self, repository: str) -> list[str]:
        """The tags of a repository; none if there is no such repository."""
        return self._client.find_tags(repository)

    def prepare(self, digests: Iterable[str]) -> None:
        """Do nothing: a request for each is fast."""


class VolumeSource:
    """The volume of a registry.

    Args:
        volume: The registry's.

    Raises:
        EngineError: it cannot be read.
    """

    def __init__(self, volume: Volume) -> None:
        self._volume = volume
        self._links = volume.read_links()
        self._manifests: dict[str, StoredManifest] = {}
        self._blobs: dict[str, bytes] = {}

    def get_manifest(self, repository: str, reference: str) -> StoredManifest:
        """A manifest or an index.

        Raises:
            RepositoryNotFoundError: there is none.
            RegistryError: the link of the tag is empty.
        """
        digest = reference if ":" in reference else self._digest_of(repository, reference)
        if (repository, digest) in self._links.revisions:
            if digest not in self._manifests:
                self.prepare([digest])
            if digest in self._manifests:
                return self._manifests[digest]
        raise RepositoryNotFoundError(f"the registry does not have `{repository}@{digest}`")

    def get_config(self, repository: str, digest: str) -> Config:
        """A config."""
        return read_config(self.get_blob(repository, digest))

    def get_blob(self, repository: str, digest: str) -> bytes:
        """A config, or another small blob."""
        if digest not in self._blobs:
            self._blobs |= self._volume.read_blobs([digest])
        if digest not in self._blobs:
            raise RepositoryNotFoundError(f"the registry does not have `{repository}@{digest}`")
        return self._blobs[digest]

    def list_tags(self, repository: str) -> list[str]:
        """The tags of a repository; none if there is no such repository."""
        return [link.tag for link in self._links.tags if link.repository == repository]

    def prepare(self, digests: Iterable[str]) -> None:
        """Read manifests with their children and configs."""
        known = self._manifests.keys() | self._blobs.keys()
        for digest, found in iter_content(self._volume, digests, known=known):
            if isinstance(found, StoredManifest):
                self._manifests[digest] = found
            else:
                self._blobs[digest] = found

    def _digest_of(self, repository: str, tag: str) -> str:
        link = self._links.by_tag.get((repository, tag))
        if link is None:
            raise RepositoryNotFoundError(f"the registry does not have `{repository}:{tag}`")
        if link.digest is None:
            raise RegistryError("its link in the registry's volume is empty")
        return link.digest
