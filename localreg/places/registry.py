"""A registry as a place of content."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from functools import lru_cache
from typing import TypeVar

from localreg.errors import RegistryError, RepositoryNotFoundError
from localreg.oci.api import RegistryClient, StoredManifest
from localreg.oci.manifest import Index
from localreg.places.port import Blob, BlobsGoneError, Content, Named

_REQUESTS = 16
_BLOBS = 4
_GONE = frozenset({"MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN"})
_A = TypeVar("_A")
_T = TypeVar("_T")


class State(StrEnum):
    """What became of a name."""

    NEW = "new"
    MOVED = "moved"
    """The registry had another manifest of that name."""
    EXISTS = "exists"


class RegistryPlace:
    """A registry.

    Args:
        client: A client of the registry.
    """

    workers = _BLOBS

    def __init__(self, client: RegistryClient) -> None:
        self._client = client
        self._tags = lru_cache(maxsize=None)(client.find_tags)
        self._lacking: dict[str, list[str]] = {}
        self._having: dict[str, str] = {}
        self.states: dict[Named, State] = {}
        """What became of each name."""

    def read_manifest(self, repository: str, reference: str) -> StoredManifest:
        """A manifest or an index."""
        return self._client.get_manifest(repository, reference)

    def find_referrers(self, repository: str, digest: str) -> Iterable[str]:
        """The tags that say they are about a manifest: `sha256-HEX`, or with cosign's `.sig`, `.att` or `.sbom`."""
        stem = digest.replace(":", "-")
        return [tag for tag in self._tags(repository) if tag.partition(".")[0] == stem]

    def read_blob(self, blob: Blob) -> Iterator[bytes]:
        """The bytes of a blob."""
        return self._client.blobs.read(blob.origin, blob.digest)

    def begin(self, content: Content) -> Sequence[Blob]:
        """Find the blobs that the registry lacks; take those that another of the repositories has from there."""
        pairs = [
            (repository, content.blobs[digest])
            for repository in content.members
            for digest in content.blobs_of(repository)
        ]
        self._lacking.clear()
        self._having.clear()
        for (repository, blob), is_there in zip(pairs, self._each(self._has, pairs), strict=True):
            if is_there:
                self._having[blob.digest] = repository
            else:
                self._lacking.setdefault(blob.digest, []).append(repository)
        known = [content.blobs[digest] for digest in self._lacking if digest in self._having]
        self._each(lambda blob: self._spread(blob, self._lacking[blob.digest]), known)
        return [blob for digest, blob in content.blobs.items() if digest in self._lacking and blob not in known]

    def put_blob(self, blob: Blob, chunks: Iterator[bytes]) -> None:
        """Store a blob in each repository that lacks it."""
        first, *others = self._lacking[blob.digest]
        self._put(blob, self._client.blobs.begin(first, blob.digest), chunks)
        self._having[blob.digest] = first
        self._spread(blob, others)

    def finish(self, content: Content) -> None:
        """Store the manifests, those that others refer to first, and then the tags."""
        depths = _depths(content)
        for depth in sorted(set(depths.values())):
            members = [
                (repository, content.manifests[digest])
                for repository, digests in content.members.items()
                for digest in digests
                if depths[digest] == depth
            ]
            self._each(self._put_manifest, members)
        states = self._each(lambda name: self._tag(name, content.manifests[name.digest]), content.names)
        self.states = dict(zip(content.names, states, strict=True))

    def _has(self, pair: tuple[str, Blob]) -> bool:
        repository, blob = pair
        size = self._client.blobs.find_size(repository, blob.digest)
        if size not in (None, blob.size):
            raise RegistryError(f"the registry has a damaged blob {blob.digest}: {size} bytes instead of {blob.size}")
        return size is not None

    def _spread(self, blob: Blob, repositories: Iterable[str]) -> None:
        """Take a blob from a repository of this registry into others."""
        origin = self._having[blob.digest]
        for repository in repositories:
            place = self._client.blobs.begin(repository, blob.digest, origin=origin)
            # Not every registry can.
            self._put(blob, place, self._client.blobs.read(origin, blob.digest))

    def _put(self, blob: Blob, place: str | None, chunks: Iterator[bytes]) -> None:
        if place is not None:
            self._client.blobs.put(place, blob.digest, blob.size, chunks)

    def _put_manifest(self, member: tuple[str, StoredManifest]) -> None:
        repository, stored = member
        try:
            self._client.head_manifest(repository, stored.digest)
        except RepositoryNotFoundError:
            self._store(repository, stored.digest, stored)

    def _tag(self, name: Named, stored: StoredManifest) -> State:
        if name.tag is None:
            return State.EXISTS
        try:
            before = self._client.head_manifest(name.repository, name.tag).digest
        except RepositoryNotFoundError:
            before = None
        if before == name.digest:
            return State.EXISTS
        self._store(name.repository, name.tag, stored)
        return State.MOVED if before else State.NEW

    def _store(self, repository: str, reference: str, stored: StoredManifest) -> None:
        try:
            self._client.put_manifest(repository, reference, stored.data, stored.content.media_type)
        except RegistryError as exc:
            if exc.registry_code in _GONE:
                raise BlobsGoneError(exc.message, hint=exc.hint, details=exc.details, status=exc.status) from exc
            raise

    def _each(self, do: Callable[[_A], _T], items: Iterable[_A]) -> list[_T]:
        with ThreadPoolExecutor(_REQUESTS) as pool:
            return list(pool.map(do, items))


def _depths(content: Content) -> Mapping[str, int]:
    """How many levels of manifests each one has below it, by digest."""
    found: dict[str, int] = {}
    for digest, stored in content.manifests.items():
        parsed = stored.content
        children = parsed.manifests if isinstance(parsed, Index) else ()
        found[digest] = max((found[child.digest] + 1 for child in children if child.digest in found), default=0)
    return found
