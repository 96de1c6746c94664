"""`ls`: every tag in a registry, with its digest, platforms, size and age."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

from localreg.content.rm import is_thrown_away
from localreg.content.summary import Summarizer
from localreg.errors import InvalidReferenceError, LocalregError, RegistryUnreachableError, RepositoryNotFoundError
from localreg.oci.api import RegistryClient
from localreg.oci.artifact import Artifact
from localreg.oci.reference import parse_reference, registry_reference

_WORKERS = 16


@dataclass(frozen=True, slots=True)
class ListedImage:
    """One tag."""

    repository: str
    tag: str
    digest: str | None = None
    media_type: str | None = None
    platforms: tuple[str, ...] = ()
    size: int | None = None
    """Bytes of configs and layers as stored, each once; attestations and foreign layers are not counted."""
    created: datetime | None = None
    """Aware; the creation time of its newest image."""
    artifact: Artifact | None = None
    """None for an image."""
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


def list_images(client: RegistryClient, patterns: Sequence[str], *, names_only: bool = False) -> Listing:
    """List the tags of a registry.

    Args:
        client: Of the registry.
        patterns: `repository` or `repository:tag`, with `*`, `?` and `[...]` as wildcards; none lists everything. A
            registry before the repository is ignored.
        names_only: Read no manifest: each row has its names alone. This also lists a tag whose removal was killed.

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

    summarizer = Summarizer(client)

    def row(repository: str, tag: str) -> ListedImage | None:
        return ListedImage(repository, tag) if names_only else _read_row(client, summarizer, repository, tag)

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
        rows = pool.map(row, *zip(*tags, strict=True)) if tags else ()
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


def _read_row(client: RegistryClient, summarizer: Summarizer, repository: str, tag: str) -> ListedImage | None:
    """Read one tag. A problem with it goes into its row, but a registry that is gone ends the listing.

    Returns:
        None for a tag whose removal was killed; the same `rm` again finishes it.
    """
    digest, media_type = None, None
    try:
        stored = client.get_manifest(repository, tag)
        digest, media_type = stored.digest, stored.media_type
        if is_thrown_away(stored):
            return None
        found = summarizer.summarize(repository, stored)
    except RegistryUnreachableError:
        raise
    except LocalregError as exc:
        return ListedImage(repository, tag, digest, media_type, error=exc.message)
    return ListedImage(
        repository,
        tag,
        digest,
        media_type,
        tuple(map(str, found.platforms)),
        sum(size for _, size in found.blobs),
        found.created,
        found.artifact,
    )
