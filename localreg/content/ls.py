"""`ls`: every tag in a registry, with its digest, platforms, size and age."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import partial

from localreg.content.pattern import Pattern, choose, read_pattern
from localreg.content.stored import StoredContent
from localreg.content.summary import Content, RegistryContent, Summarizer
from localreg.content.untag import is_thrown_away
from localreg.errors import (
    EngineError,
    LocalregError,
    RegistryError,
    RegistryUnreachableError,
    RepositoryNotFoundError,
)
from localreg.oci.api import RegistryClient
from localreg.oci.artifact import Artifact
from localreg.registry.volume import Volume
from localreg.registry.volume_layout import Links, TagLink

_WORKERS = 16
_FEW = 100
"""Tags that the registry answers for as fast as their manifests are read from its volume."""
_BATCH = 5000
"""Tags whose manifests and configs are in memory at the same time."""


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
    """The kind of artifact; None for an image."""
    pushed: datetime | None = None
    """Aware; the last push to the tag; None if only the volume would tell it."""
    error: str | None = None
    """Why it could not be read; the rest may then be missing."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The tags that were found, by repository and tag."""

    rows: tuple[ListedImage, ...]
    missing: tuple[str, ...] = ()
    """The patterns without `*`, `?` or `[...]` that match nothing."""


class SortKey(StrEnum):
    """The order of a listing."""

    NAME = "name"
    PUSHED = "pushed"
    """The last push first."""
    SIZE = "size"
    """The largest first."""


def list_images(
    client: RegistryClient,
    patterns: Sequence[str],
    *,
    names_only: bool = False,
    volume: Volume | None = None,
    sort: SortKey = SortKey.NAME,
) -> Listing:
    """List the tags of a registry.

    Args:
        client: A client of the registry.
        patterns: `repository` or `repository:tag`, with `*`, `?` and `[...]` as wildcards; none lists everything. A
            registry before the repository is ignored.
        names_only: Read no manifest: each row has its names alone. This also lists a tag whose removal was killed.
        volume: The registry's, which is faster to read, and knows when each tag was pushed.
        sort: The order of the rows; those of which the key is not known come last.

    Raises:
        InvalidReferenceError: a pattern without wildcards is not a valid reference, or has a digest.
        RegistryError: the registry cannot be read at all. A single tag that cannot be read is a row with an error.
    """
    wanted = [read_pattern(pattern) for pattern in patterns]
    named = {pattern.repository for pattern in wanted if not pattern.is_glob}
    only_named = bool(wanted) and not any(pattern.is_glob for pattern in wanted)
    only_names = names_only and sort is SortKey.NAME
    # A shell in the container takes a moment to start: meanwhile the registry is asked for what is named.
    reading = _begin(partial(_read_links, None if only_named and only_names else volume, named if only_named else None))
    if only_named:
        tags = _list_tags(client, named)
    else:
        links = _believed(client, reading.result())
        tags = _list_tags(client, named.union(_crawl(client, wanted))) if links is None else list(links.by_tag)
    tags, missing = choose(tags, wanted)
    if only_names:
        return Listing(tuple(ListedImage(*tag) for tag in tags), missing)
    links = _believed(client, reading.result()) if len(tags) > _FEW else None
    if volume is None or links is None:
        rows = _dated(list(_rows(client, tags)), reading.result())
    else:
        rows = _stored_rows(client, volume, links, tags)
    return Listing(tuple(_sorted(rows, sort)), missing)


def list_stored(volume: Volume, patterns: Sequence[str], *, sort: SortKey = SortKey.NAME) -> Listing:
    """List the tags of a registry that this machine cannot reach, as those of an engine on another machine.

    Args:
        volume: The registry's.
        patterns: As for `list_images`.
        sort: The order of the rows.

    Raises:
        InvalidReferenceError: a pattern without wildcards is not a valid reference, or has a digest.
        EngineError: the volume cannot be read.
    """
    links = volume.read_links()
    tags, missing = choose(links.by_tag, [read_pattern(pattern) for pattern in patterns])
    return Listing(tuple(_sorted(_stored_rows(None, volume, links, tags), sort)), missing)


def _dated(rows: Iterable[ListedImage], links: Links | None) -> Iterator[ListedImage]:
    """The rows with the times of their pushes, as far as the volume has the same digests as the registry."""
    by_tag = {} if links is None else links.by_tag
    for row in rows:
        link = by_tag.get((row.repository, row.tag))
        yield row if link is None or link.digest != row.digest else replace(row, pushed=link.pushed)


def _sorted(rows: Iterable[ListedImage], key: SortKey) -> list[ListedImage]:
    match key:
        case SortKey.NAME:
            return list(rows)
        case SortKey.PUSHED:
            return sorted(rows, key=lambda row: -row.pushed.timestamp() if row.pushed else 0)
        case SortKey.SIZE:
            return sorted(rows, key=lambda row: 1 if row.size is None else -row.size)


def _list_tags(client: RegistryClient, repositories: Iterable[str]) -> list[tuple[str, str]]:
    """Ask the registry for the tags of repositories."""
    names = sorted(repositories)

    def tags_of(repository: str) -> list[str]:
        try:
            return client.list_tags(repository)
        except RepositoryNotFoundError:
            # It never existed, or was removed after the catalog was read.
            return []

    with ThreadPoolExecutor(_WORKERS) as pool:
        return [(name, tag) for name, tags in zip(names, pool.map(tags_of, names), strict=True) for tag in tags]


def _rows(client: RegistryClient, tags: Sequence[tuple[str, str]]) -> Iterator[ListedImage]:
    """Ask the registry for each tag."""
    content = RegistryContent(client)
    summarizer = Summarizer(content)
    with ThreadPoolExecutor(_WORKERS) as pool:
        yield from filter(None, pool.map(lambda tag: _read_row(content, summarizer, *tag), tags))


def _begin(read: Callable[[], Links | None]) -> Future[Links | None]:
    """Read in a thread that neither Ctrl-C nor an error waits for: an engine may hang."""
    future: Future[Links | None] = Future()

    def run() -> None:
        try:
            future.set_result(read())
        except BaseException as exc:  # noqa: BLE001 -- handed to the thread that waits
            future.set_exception(exc)

    threading.Thread(target=run, daemon=True).start()
    return future


def _read_links(volume: Volume | None, repositories: Collection[str] | None) -> Links | None:
    """Read a volume's links; None if there is no way to read them."""
    if volume is None:
        return None
    try:
        return volume.read_links(repositories)
    except EngineError:
        return None


def _believed(client: RegistryClient, links: Links | None) -> Links | None:
    """The links of a volume; None if the registry has another digest for a tag: its data is elsewhere."""
    if links is None:
        return None
    whole = (link for link in links.tags if (link.repository, link.digest) in links.revisions)
    with contextlib.suppress(RegistryError, RepositoryNotFoundError, StopIteration):
        link = next(whole)
        if client.head_manifest(link.repository, link.tag).digest == link.digest:
            return links
    return None


def _stored_rows(
    client: RegistryClient | None, volume: Volume, links: Links, tags: Sequence[tuple[str, str]]
) -> Iterator[ListedImage]:
    """Read tags from a volume, many at a time; the registry is asked for those that are broken there, if it can be."""
    content = StoredContent(volume, links, None if client is None else RegistryContent(client))
    for start in range(0, len(tags), _BATCH):
        batch = [(tag, links.by_tag.get(tag)) for tag in tags[start : start + _BATCH]]
        content.read(link.digest for _, link in batch if link is not None and link.digest is not None)
        summarizer = Summarizer(content)
        for tag, link in batch:
            row = _read_row(content, summarizer, *tag, link=link)
            if row is not None:
                yield row


def _crawl(client: RegistryClient, wanted: Sequence[Pattern]) -> set[str]:
    return {name for name in client.iter_repositories() if not wanted or any(pattern.fits(name) for pattern in wanted)}


def _read_row(
    content: Content, summarizer: Summarizer, repository: str, tag: str, *, link: TagLink | None = None
) -> ListedImage | None:
    """Read one tag. A problem with it goes into its row, but a registry that is gone ends the listing.

    Returns:
        None for a tag whose removal was killed; the same `rm` again finishes it.
    """
    digest, media_type, pushed = link.digest if link else None, None, None
    try:
        stored = content.get_manifest(repository, digest or tag)
        # The time of an empty link is that of a push that has not ended.
        pushed = link.pushed if link and link.digest else None
        digest, media_type = stored.digest, stored.media_type or None
        if is_thrown_away(stored):
            return None
        media_type = media_type or stored.content.media_type
        found = summarizer.summarize(repository, stored)
    except RegistryUnreachableError:
        raise
    except LocalregError as exc:
        return ListedImage(repository, tag, digest, media_type, error=exc.message, pushed=pushed)
    return ListedImage(
        repository,
        tag,
        digest,
        media_type,
        tuple(map(str, found.platforms)),
        sum(size for _, size in found.blobs),
        found.created,
        found.artifact,
        pushed,
    )
