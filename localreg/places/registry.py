"""A registry as a place of content."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import TypeVar

from localreg.errors import LocalregError, RegistryError, RegistryUnreachableError, RepositoryNotFoundError
from localreg.oci.api import RegistryClient, StoredManifest
from localreg.oci.manifest import Index
from localreg.places.port import Blob, BlobsGoneError, Content, Named
from localreg.places.referrers import Referrers
from localreg.places.referrers_tag import is_referrers_tag, merged
from localreg.system.at_once import do_at_once

_REQUESTS = 16
_BLOBS = 4
_GONE = frozenset({"MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN"})
_PASSING = frozenset({"DIGEST_INVALID", "UNKNOWN", None})
"""What Distribution returns, with a status of 400 or 500, while another client stores the same or a part of it: it
empties a link, then writes it."""
_PASSING_STATUSES = (HTTPStatus.BAD_REQUEST, HTTPStatus.INTERNAL_SERVER_ERROR)
_PAUSES = (0.1, 0.4)
"""Seconds between attempts."""
_A = TypeVar("_A")
_T = TypeVar("_T")


class State(StrEnum):
    """What became of a name."""

    NEW = "new"
    MOVED = "moved"
    """The registry had another manifest of that name."""
    EXISTS = "exists"


@dataclass(frozen=True, slots=True)
class Placed:
    """An image, or something else, in a registry."""

    name: Named
    state: State


class RegistryPlace:
    """A registry.

    Args:
        client: A client of the registry.
        is_both: The content that it takes comes from this registry.
    """

    workers = _BLOBS

    def __init__(self, client: RegistryClient, *, is_both: bool = False) -> None:
        self._client = client
        self._is_both = is_both
        self._referrers = Referrers(client)
        self._lacking: dict[str, list[str]] = {}
        self._having: dict[str, str] = {}
        self._stored: set[tuple[str, str]] = set()
        """The repository and the digest of each manifest that it got."""
        self.states: dict[Named, State] = {}
        """What became of each name."""

    def read_manifest(self, repository: str, reference: str) -> StoredManifest:
        """A manifest or an index."""
        return self._client.get_manifest(repository, reference)

    def find_referrers(self, repository: str, digest: str) -> Iterable[str]:
        """The tags that say they are about a manifest, and the digests that the registry lists as its referrers."""
        return self._referrers.find(repository, digest)

    def find_size(self, blob: Blob) -> int | None:
        """Bytes of a blob."""
        return self._client.blobs.find_size(blob.origin, blob.digest, told=blob.size)

    def damage(self, what: str, _blob: str = "", /) -> LocalregError:
        """The error for what a full disk, a kill or a removal broke."""
        return RegistryError(f"in {self._client.who}, {what}")

    def read_blob(self, blob: Blob) -> Iterator[bytes]:
        """The bytes of a blob."""
        try:
            yield from self._client.blobs.read(blob.origin, blob.digest)
        except RegistryUnreachableError as exc:
            # With its cache, a registry tells the size of a blob that is gone or cut, and then hangs up.
            self.find_size(blob)
            raise self.damage(f"blob {blob.digest} breaks off").with_(details=[exc.message]) from exc

    def begin(self, content: Content) -> Sequence[Blob]:
        """Find the blobs that the registry lacks; take those that another of its repositories has from there."""
        self._look(content)
        known = [content.blobs[digest] for digest in self._lacking if digest in self._having]
        self._each(lambda blob: self._spread(blob, self._lacking[blob.digest]), known)
        return [blob for digest, blob in content.blobs.items() if digest in self._lacking and blob not in known]

    def compare(self, content: Content) -> tuple[Mapping[Named, State], Sequence[Blob]]:
        """What would become of each name, and the blobs that no repository has; nothing is changed."""
        self._look(content)
        states = dict(zip(content.names, self._each(self._state_of, content.names), strict=True))
        return states, [content.blobs[digest] for digest in self._lacking if digest not in self._having]

    def _look(self, content: Content) -> None:
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
                if self._is_both:
                    self._having.setdefault(blob.digest, blob.origin)

    def put_blob(self, blob: Blob, read: Callable[[], Iterator[bytes]]) -> None:
        """Store a blob in each repository that lacks it."""
        first, *others = self._lacking[blob.digest]
        self._put(blob, first, read)
        self._having[blob.digest] = first
        self._spread(blob, others)

    def finish(self, content: Content) -> None:
        """Store the manifests, those that others refer to first, and then the tags."""
        depths = _depths(content)
        tagged = {
            (name.repository, digest) for name in content.names if name.tag for digest in content.below(name.digest)
        }
        members = [(repository, digest) for repository, digests in content.members.items() for digest in digests]
        manifests = {member: content.manifests[member[1]] for member in members}

        def put(chosen: Iterable[tuple[str, str]]) -> None:
            self._each_level(self._put_manifest, [(depths[each[1]], (each[0], manifests[each])) for each in chosen])

        put(member for member in members if member in tagged)
        # A tag writes the link of its manifest anew: no index that lists it may be checked meanwhile.
        self._each_level(
            self._tag, [(depths[name.digest], (name, content.manifests[name.digest])) for name in content.names]
        )
        # Only after the tags: a garbage collection takes what is about an image that has none.
        put(member for member in members if member not in tagged)
        self.states = {name: self.states.get(name) or self._state_of_untagged(name) for name in content.names}
        for repository, digests in content.members.items():
            self._referrers.tell(repository, [content.manifests[digest] for digest in digests], self._store)

    def _has(self, pair: tuple[str, Blob]) -> bool:
        repository, blob = pair
        try:
            size = _ask(lambda: self._client.blobs.find_size(repository, blob.digest, told=blob.size))
        except RegistryError as exc:
            if not _is_passing(exc):
                raise
            # A full disk left an empty link, which a new upload mends.
            return False
        if size not in (None, blob.size):
            raise self.damage(f"blob {blob.digest} has {size} bytes instead of {blob.size}")
        return size is not None

    def _spread(self, blob: Blob, repositories: Iterable[str]) -> None:
        """Take a blob from a repository of this registry into others."""
        origin = self._having[blob.digest]

        def read() -> Iterator[bytes]:
            try:
                yield from self._client.blobs.read(origin, blob.digest)
            except RepositoryNotFoundError as exc:
                raise BlobsGoneError(exc.message) from exc

        for repository in repositories:
            # Not every registry can: then it is read and sent.
            self._put(blob, repository, read, origin=origin)

    def _put(
        self, blob: Blob, repository: str, read: Callable[[], Iterator[bytes]], *, origin: str | None = None
    ) -> None:
        try:
            self._client.blobs.store(repository, blob.digest, blob.size, read, origin=origin)
        except RegistryError as exc:
            # Another client has just stored it.
            if not _is_passing(exc) or not self._has((repository, blob)):
                raise

    def _put_manifest(self, member: tuple[str, StoredManifest]) -> None:
        repository, stored = member
        if self._find(repository, stored.digest) is None:
            self._store(repository, stored.digest, stored)
            # Distribution takes a manifest again whose file is damaged, and says that it has it.
            _ask(lambda: self._client.head_manifest(repository, stored.digest))
            self._stored.add((repository, stored.digest))

    def _state_of(self, name: Named) -> State:
        before = self._find(name.repository, name.tag or name.digest)
        return State.NEW if before is None else State.EXISTS if before == name.digest else State.MOVED

    def _state_of_untagged(self, name: Named) -> State:
        return State.NEW if (name.repository, name.digest) in self._stored else State.EXISTS

    def _tag(self, tagged: tuple[Named, StoredManifest]) -> None:
        name, stored = tagged
        if name.tag is None:
            return
        before = self._find(name.repository, name.tag)
        if before is not None and before != name.digest and is_referrers_tag(name.tag):
            index = self._client.get_manifest(name.repository, before)
            stored = merged(index, stored, is_there=lambda digest: self._find(name.repository, digest) is not None)
        is_there = before == stored.digest
        if not is_there:
            self._store(name.repository, name.tag, stored)
        # It may have been tagged before something else failed, and all began again.
        self.states.setdefault(name, State.EXISTS if is_there else State.MOVED if before else State.NEW)

    def _find(self, repository: str, reference: str) -> str | None:
        """The digest of a manifest; None if there is none, or only an empty link that a full disk left."""
        try:
            return _ask(lambda: self._client.head_manifest(repository, reference)).digest
        except RepositoryNotFoundError:
            return None
        except RegistryError as exc:
            if not _is_passing(exc):
                raise
            return None

    def _store(self, repository: str, reference: str, stored: StoredManifest) -> None:
        try:
            _ask(lambda: self._client.put_manifest(repository, reference, stored.data, stored.content.media_type))
        except RegistryError as exc:
            if exc.registry_code in _GONE:
                raise BlobsGoneError(exc.message, hint=exc.hint, details=exc.details, status=exc.status) from exc
            raise

    def _each(self, do: Callable[[_A], _T], items: Sequence[_A]) -> list[_T]:
        return do_at_once(do, items, workers=_REQUESTS)

    def _each_level(self, do: Callable[[_A], None], items: Iterable[tuple[int, _A]]) -> None:
        """Do something for each item, those of the lowest level first."""
        levels: dict[int, list[_A]] = {}
        for level, item in items:
            levels.setdefault(level, []).append(item)
        for _, alike in sorted(levels.items(), key=lambda found: found[0]):
            self._each(do, alike)


def _is_passing(error: RegistryError) -> bool:
    """Asked again, the registry may answer otherwise."""
    return error.status in _PASSING_STATUSES and error.registry_code in _PASSING


def _ask(ask: Callable[[], _T]) -> _T:
    """Ask a registry for something that changes nothing the second time, and again after an error that may pass."""
    for pause in _PAUSES:
        try:
            return ask()
        except RegistryError as exc:
            if not _is_passing(exc):
                raise
        time.sleep(pause)
    return ask()


def _depths(content: Content) -> Mapping[str, int]:
    """How many levels of manifests each one has below it, by digest."""
    found: dict[str, int] = {}
    for digest, stored in content.manifests.items():
        parsed = stored.content
        children = parsed.manifests if isinstance(parsed, Index) else ()
        found[digest] = max((found[child.digest] + 1 for child in children if child.digest in found), default=0)
    return found
