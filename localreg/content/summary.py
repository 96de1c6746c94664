"""The platforms, size, age and kind of a stored manifest or index."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import chain
from typing import Generic, Protocol, TypeVar

from localreg.errors import RegistryError, RepositoryNotFoundError
from localreg.oci.api import RegistryClient, StoredManifest
from localreg.oci.artifact import Artifact, artifact_of
from localreg.oci.config import parse_config, read_time
from localreg.oci.manifest import Descriptor, Index, Manifest, Platform

_T = TypeVar("_T")

_DEEPEST = 4
"""How deep indexes of indexes are followed. Real ones are not nested deeper, and an endless one must not block `ls`."""
_CREATED = "org.opencontainers.image.created"


@dataclass(frozen=True, slots=True)
class Summary:
    """The content of a manifest, or of an index with all its children."""

    platforms: tuple[Platform, ...] = ()
    blobs: frozenset[tuple[str, int]] = frozenset()
    """Digest and bytes of each config and layer that the registry stores."""
    created: datetime | None = None
    """Aware; of the newest image."""
    artifact: Artifact | None = None
    """The kind of artifact; None for an image."""


@dataclass(frozen=True, slots=True)
class Config:
    """What a summary needs of an image's config."""

    platform: Platform | None
    created: datetime | None
    """Aware."""


class Content(Protocol):
    """The source of manifests and configs."""

    def get_manifest(self, repository: str, reference: str) -> StoredManifest:
        """A manifest or an index.

        Raises:
            RepositoryNotFoundError: the repository does not have it.
        """

    def get_config(self, repository: str, digest: str) -> Config:
        """A config.

        Raises:
            RepositoryNotFoundError: the repository does not have it.
        """


class RegistryContent:
    """Asks a registry."""

    def __init__(self, client: RegistryClient) -> None:
        self._client = client

    def get_manifest(self, repository: str, reference: str) -> StoredManifest:
        """A manifest or an index."""
        return self._client.get_manifest(repository, reference)

    def get_config(self, repository: str, digest: str) -> Config:
        """A config."""
        return read_config(self._client.get_blob(repository, digest))


class Summarizer:
    """Reads manifests; fetches and parses each digest once, even with several threads."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self._summaries = _Once[Summary]()
        self._configs = _Once[Config]()

    def summarize(self, repository: str, stored: StoredManifest) -> Summary:
        """Read a manifest, and the children of an index.

        Raises:
            RegistryError: it is neither, or a part of it cannot be read.
        """
        # The repository is part of the key: it may lack children of an index that another repository has.
        return self._summaries.get(f"{repository}@{stored.digest}", lambda: self._read(repository, stored, depth=0))

    def _read(self, repository: str, stored: StoredManifest, *, depth: int) -> Summary:
        parsed = stored.content
        return (
            self._manifest(repository, parsed)
            if isinstance(parsed, Manifest)
            else self._index(repository, parsed, depth)
        )

    def _manifest(self, repository: str, manifest: Manifest) -> Summary:
        if cut := next((layer for layer in manifest.layers if layer.is_cut), None):
            raise RegistryError(f"its layer {cut.digest} is empty; push it again")
        blobs = _stored([manifest.config, *manifest.layers])
        artifact = artifact_of(manifest)
        if artifact:
            return Summary((), blobs, _annotated(manifest), artifact)
        config = self._configs.get(
            manifest.config.digest, lambda: self._content.get_config(repository, manifest.config.digest)
        )
        return Summary(
            (config.platform,) if config.platform else (), blobs, config.created or _annotated(manifest), None
        )

    def _index(self, repository: str, index: Index, depth: int) -> Summary:
        images = [child for child in index.manifests if not child.is_attestation]
        summaries = list(self._children(repository, [child for child in images if child.is_manifest], depth))
        parts = [child for child in images if not child.is_manifest]
        return Summary(
            tuple(dict.fromkeys(chain.from_iterable(summary.platforms for summary in summaries))),
            _stored(parts).union(*(summary.blobs for summary in summaries)),
            max((summary.created for summary in summaries if summary.created), default=None) or _annotated(index),
            artifact_of(index)
            or _joined([*(summary.artifact for summary in summaries), *filter(None, map(artifact_of, parts))]),
        )

    def _children(self, repository: str, children: Sequence[Descriptor], depth: int) -> Iterator[Summary]:
        """Read each child. A registry tolerates a missing child: then only the index tells what it is."""
        for child in children if depth < _DEEPEST else ():
            said = (child.platform,) if child.platform else ()
            try:
                found = self._summaries.get(child.digest, partial(self._fetch, repository, child.digest, depth + 1))
            except RepositoryNotFoundError:
                yield Summary(said, artifact=artifact_of(child))
            else:
                yield Summary(said or found.platforms, found.blobs, found.created, found.artifact)

    def _fetch(self, repository: str, digest: str, depth: int) -> Summary:
        return self._read(repository, self._content.get_manifest(repository, digest), depth=depth)


def _stored(parts: Sequence[Descriptor]) -> frozenset[tuple[str, int]]:
    return frozenset((part.digest, part.size) for part in parts if not part.is_foreign)


def _annotated(found: Manifest | Index) -> datetime | None:
    return read_time(found.annotations.get(_CREATED))


def _joined(artifacts: Sequence[Artifact | None]) -> Artifact | None:
    """The kind of an index of artifacts, such as the one that a signature is found by; None if it has an image."""
    if not artifacts or None in artifacts:
        return None
    found = dict.fromkeys(artifact for artifact in artifacts if artifact)
    kinds = dict.fromkeys(artifact.kind for artifact in found)
    return next(iter(found)) if len(found) == 1 else Artifact(", ".join(kinds), None)


def read_config(data: bytes) -> Config:
    """Read an image's config; empty if it is not valid JSON."""
    config = parse_config(data)
    return Config(config.platform, config.created)


class _Once(Generic[_T]):
    """Values by key, each made once even if several threads need it at the same time."""

    def __init__(self) -> None:
        self._values: dict[str, _T] = {}
        self._locks: dict[str, threading.Lock] = {}

    def get(self, key: str, make: Callable[[], _T]) -> _T:
        """The value; the first thread makes it and the others wait for it. If that fails, the next one tries."""
        value = self._values.get(key)
        if value is None:
            with self._locks.setdefault(key, threading.Lock()):
                value = self._values.get(key)
                if value is None:
                    value = self._values[key] = make()
        return value
