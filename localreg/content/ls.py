"""`ls`: every tag in a registry, with its digest, platforms, size and age."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import partial
from itertools import chain
from typing import Generic, TypeVar

from localreg.content.rm import is_thrown_away
from localreg.errors import InvalidReferenceError, LocalregError, RegistryUnreachableError, RepositoryNotFoundError
from localreg.oci.api import RegistryClient, StoredManifest
from localreg.oci.manifest import UNREADABLE, Descriptor, Index, Manifest, Platform, parse_manifest, read_platform
from localreg.oci.reference import parse_reference, registry_reference

_T = TypeVar("_T")

_WORKERS = 16
_DEEPEST = 4
"""How deep indexes of indexes are followed. Real ones are not nested deeper, and an endless one must not block `ls`."""


@dataclass(frozen=True, slots=True)
class ListedImage:
    """One tag."""

    repository: str
    tag: str
    digest: str | None = None
    media_type: str | None = None
    platforms: tuple[str, ...] = ()
    size: int | None = None
    """Bytes of configs and layers as stored, each once; attestations are not counted."""
    created: datetime | None = None
    """Aware; the creation time of its newest image."""
    error: str | None = None
    """Why it could not be read; the rest may then be missing."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The tags that were found, by repository and tag."""

    rows: tuple[ListedImage, ...]
    missing: tuple[str, ...] = ()
    """The patterns without `*`, `?` or `[...]` that match nothing."""


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A pattern of repositories and tags."""

    repository: str
    tag: str | None
    """None for every tag."""
    is_glob: bool

    def __str__(self) -> str:
        return self.repository if self.tag is None else f"{self.repository}:{self.tag}"

    def fits(self, repository: str, tag: str | None = None) -> bool:
        """It matches a repository, and a tag if one is given."""
        if not fnmatchcase(repository, self.repository):
            return False
        return tag is None or self.tag is None or fnmatchcase(tag, self.tag)


@dataclass(frozen=True, slots=True)
class _Content:
    """The platforms, blobs and age of a manifest or an index."""

    platforms: tuple[Platform, ...] = ()
    blobs: frozenset[tuple[str, int]] = frozenset()
    created: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Config:
    platform: Platform | None
    created: datetime | None


def list_images(client: RegistryClient, patterns: Sequence[str]) -> Listing:
    """List the tags of a registry.

    Args:
        client: Of the registry.
        patterns: `repository` or `repository:tag`, with `*`, `?` and `[...]` as wildcards; none lists everything. A
            registry before the repository is ignored.

    Raises:
        InvalidReferenceError: a pattern without wildcards is not a valid reference, or has a digest.
        RegistryError: the registry cannot be read at all. A single tag that cannot be read is a row with an error.
    """
    wanted = [_read_pattern(pattern) for pattern in patterns]
    exact = [pattern for pattern in wanted if not pattern.is_glob]
    named = {pattern.repository for pattern in exact}
    # Named repositories need no catalog, which may be long.
    only_named = bool(wanted) and len(exact) == len(wanted)
    names = sorted(named if only_named else named.union(_crawl(client, wanted)))

    def tags_of(repository: str) -> list[str]:
        try:
            return sorted(client.list_tags(repository))
        except RepositoryNotFoundError:
            # It never existed, or was removed after the catalog was read.
            return []

    reader = _Reader(client)
    with ThreadPoolExecutor(_WORKERS) as pool:
        tags = [
            (repository, tag)
            for repository, found in zip(names, pool.map(tags_of, names), strict=True)
            for tag in found
            if not wanted or any(pattern.fits(repository, tag) for pattern in wanted)
        ]
        missing = tuple(
            str(pattern) for pattern in exact if not any(pattern.fits(repository, tag) for repository, tag in tags)
        )
        rows = pool.map(reader.row, *zip(*tags, strict=True)) if tags else ()
        return Listing(tuple(row for row in rows if row is not None), missing)


def _is_glob(text: str) -> bool:
    return any(character in text for character in "*?[")


def registry_in_pattern(pattern: str) -> str | None:
    """The registry that a pattern begins with; None if it names none, or only Podman's `localhost`."""
    first, slash, _ = pattern.partition("/")
    return first if slash and any(mark in first for mark in ":.") and not _is_glob(first.lstrip("[")) else None


def _read_pattern(text: str) -> _Pattern:
    """Leave out the registry; a pattern without wildcards must be a reference."""
    wanted = text.removeprefix(f"{registry_in_pattern(text) or 'localhost'}/")
    if _is_glob(wanted):
        repository, colon, tag = wanted.partition(":")
        return _Pattern(repository, tag if colon else None, is_glob=True)
    named = parse_reference(text)
    if named.digest is not None:
        raise InvalidReferenceError(f"`{text}` has a digest; `ls` lists repositories and tags")
    return _Pattern(registry_reference(named, registry="").repository, named.tag, is_glob=False)


def _crawl(client: RegistryClient, wanted: Sequence[_Pattern]) -> set[str]:
    return {name for name in client.iter_repositories() if not wanted or any(pattern.fits(name) for pattern in wanted)}


class _Reader:
    """Reads tags; fetches and parses each digest once, even with several threads."""

    def __init__(self, client: RegistryClient) -> None:
        self._client = client
        self._contents = _Once[_Content]()
        self._configs = _Once[_Config]()

    def row(self, repository: str, tag: str) -> ListedImage | None:
        """Read one tag. A problem with it goes into its row, but a registry that is gone ends the listing.

        Returns:
            None for a tag whose removal was killed; the same `rm` again finishes it.
        """
        digest, media_type = None, None
        try:
            stored = self._client.get_manifest(repository, tag)
            digest, media_type = stored.digest, stored.media_type
            if is_thrown_away(stored):
                return None
            # The repository is part of the key: it may lack children of an index that another repository has.
            content = self._contents.get(f"{repository}@{digest}", lambda: self._read(repository, stored, depth=0))
        except RegistryUnreachableError:
            raise
        except LocalregError as exc:
            return ListedImage(repository, tag, digest, media_type, error=exc.message)
        return ListedImage(
            repository,
            tag,
            digest,
            media_type,
            tuple(map(str, content.platforms)),
            sum(size for _, size in content.blobs),
            content.created,
        )

    def _read(self, repository: str, stored: StoredManifest, *, depth: int) -> _Content:
        parsed = parse_manifest(stored.data, stored.media_type)
        return (
            self._manifest(repository, parsed)
            if isinstance(parsed, Manifest)
            else self._index(repository, parsed, depth)
        )

    def _manifest(self, repository: str, manifest: Manifest) -> _Content:
        blobs = frozenset((part.digest, part.size) for part in (manifest.config, *manifest.layers))
        if not manifest.is_image:
            return _Content(blobs=blobs)
        config = self._configs.get(
            manifest.config.digest, lambda: _read_config(self._client.get_blob(repository, manifest.config.digest))
        )
        return _Content((config.platform,) if config.platform else (), blobs, config.created)

    def _index(self, repository: str, index: Index, depth: int) -> _Content:
        children = [child for child in index.manifests if not child.is_attestation]
        contents = list(self._children(repository, children, depth))
        return _Content(
            tuple(dict.fromkeys(chain.from_iterable(content.platforms for content in contents))),
            frozenset(chain.from_iterable(content.blobs for content in contents)),
            max((content.created for content in contents if content.created), default=None),
        )

    def _children(self, repository: str, children: Sequence[Descriptor], depth: int) -> Iterator[_Content]:
        """Read each child. A registry tolerates a missing child: then only the index tells its platform."""
        for child in children if depth < _DEEPEST else ():
            said = (child.platform,) if child.platform else ()
            try:
                content = self._contents.get(child.digest, partial(self._fetch, repository, child.digest, depth + 1))
            except RepositoryNotFoundError:
                yield _Content(said)
            else:
                yield _Content(said or content.platforms, content.blobs, content.created)

    def _fetch(self, repository: str, digest: str, depth: int) -> _Content:
        return self._read(repository, self._client.get_manifest(repository, digest), depth=depth)


def _read_config(data: bytes) -> _Config:
    """Read an image's config; empty if it is not valid JSON."""
    try:
        found = json.loads(data)
        return _Config(read_platform(found), _read_time(found.get("created")))
    except UNREADABLE:
        return _Config(None, None)


def _read_time(text: object) -> datetime | None:
    """Read RFC 3339; None if there is no time, or the zero time of a reproducible build."""
    try:
        moment = datetime.fromisoformat(str(text)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if moment.year > 1 else None


class _Once(Generic[_T]):
    """Values by key, each made once even if several threads need it at the same time."""

    def __init__(self) -> None:
        self._futures: dict[str, Future[_T]] = {}
        self._lock = threading.Lock()

    def get(self, key: str, make: Callable[[], _T]) -> _T:
        """The value; the first thread makes it and the others wait for it."""
        while True:
            with self._lock:
                known = self._futures.get(key)
                future = self._futures.setdefault(key, Future())
            if known is None:
                self._fill(key, future, make)
                return future.result()
            try:
                return known.result()
            except RepositoryNotFoundError:
                # The first thread used another repository; this one may have it.
                continue

    def _fill(self, key: str, future: Future[_T], make: Callable[[], _T]) -> None:
        try:
            future.set_result(make())
        except BaseException as exc:  # noqa: BLE001 -- handed to every thread that waits
            with self._lock:
                # A later attempt may succeed.
                del self._futures[key]
            future.set_exception(exc)
