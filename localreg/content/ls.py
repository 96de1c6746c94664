"""`ls`: every tag in a registry, with its digest, platforms, size and age."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from localreg.content.listed import NO_FILTERS, Filters, ListedImage, Listing, SortKey, sort_rows
from localreg.content.pattern import Pattern, choose, read_pattern
from localreg.content.reading import LinkReading, unread_error
from localreg.content.rows import WORKERS, asked_rows, stored_rows
from localreg.errors import EngineError
from localreg.oci.api import RegistryClient
from localreg.registry.volume import Volume
from localreg.registry.volume_layout import Links
from localreg.system.at_once import do_at_once

_FEW = 100
"""Tags that the registry answers for as fast as their manifests are read from its volume."""


def list_images(
    client: RegistryClient,
    patterns: Sequence[str],
    *,
    names_only: bool = False,
    volume: Volume | None = None,
    sort: SortKey = SortKey.NAME,
    filters: Filters = NO_FILTERS,
) -> Listing:
    """List the tags of a registry.

    Args:
        client: A client of the registry.
        patterns: `repository` or `repository:tag`, with `*`, `?` and `[...]` as wildcards; none lists everything. A
            registry before the repository is ignored.
        names_only: Read no manifest, unless the order or a filter needs it: each row has its names alone. This also
            lists a tag whose removal was killed.
        volume: The registry's, which is faster to read, and knows when each tag was pushed.
        sort: The order of the rows; those of which the key is not known come last.
        filters: The rows to list.

    Raises:
        InvalidReferenceError: a pattern without wildcards is not a valid reference, or has a digest.
        RegistryError: the registry cannot be read at all. A single tag that cannot be read is a row with an error.
        EngineError: a filter needs the volume, which cannot be read.
    """
    wanted = [read_pattern(pattern) for pattern in patterns]
    named = {pattern.repository for pattern in wanted if not pattern.is_glob}
    only_named = bool(wanted) and not any(pattern.is_glob for pattern in wanted)
    only_names = names_only and sort is SortKey.NAME and not filters
    # A shell in the container takes a moment to start: meanwhile the registry is asked for what is named.
    reading = LinkReading(None if only_named and only_names else volume, named if only_named else None)
    if only_named:
        tags = _list_tags(client, named)
    else:
        links = reading.believed_by(client)
        tags = _list_tags(client, named.union(_crawl(client, wanted))) if links is None else list(links.by_tag)
    tags, missing = choose(tags, wanted)
    if only_names:
        return Listing(tuple(ListedImage(*tag) for tag in tags), missing)
    rows = _read_rows(client, volume, reading, tags)
    if filters.needs_pushes and rows and not any(row.pushed for row in rows):
        raise unread_error("the times of pushes", reading.reasons)
    return Listing(tuple(sort_rows(filter(filters.fits, rows), sort)), missing)


def list_stored(
    volume: Volume, patterns: Sequence[str], *, sort: SortKey = SortKey.NAME, filters: Filters = NO_FILTERS
) -> Listing:
    """List the tags of a registry that this machine cannot reach, as those of an engine on another machine.

    Args:
        volume: The registry's.
        patterns: As for `list_images`.
        sort: The order of the rows.
        filters: The rows to list.

    Raises:
        InvalidReferenceError: a pattern without wildcards is not a valid reference, or has a digest.
        EngineError: the volume cannot be read.
    """
    links = volume.read_links()
    tags, missing = choose(links.by_tag, [read_pattern(pattern) for pattern in patterns])
    return Listing(tuple(sort_rows(filter(filters.fits, stored_rows(None, volume, links, tags)), sort)), missing)


def _read_rows(
    client: RegistryClient, volume: Volume | None, reading: LinkReading, tags: Sequence[tuple[str, str]]
) -> list[ListedImage]:
    """Read tags from the volume if they are many and it can be read, else ask the registry."""
    links = reading.believed_by(client) if len(tags) > _FEW else None
    if volume is not None and links is not None:
        try:
            return list(stored_rows(client, volume, links, tags))
        except EngineError:
            # The engine has failed since it read the links.
            pass
    rows = list(asked_rows(client, tags))
    return _dated(rows, reading.links)


def _dated(rows: Sequence[ListedImage], links: Links | None) -> list[ListedImage]:
    """The rows with the times of their pushes, as far as the volume has the same digests as the registry."""
    by_tag = {} if links is None else links.by_tag
    found = [(row, by_tag.get((row.repository, row.tag or ""))) for row in rows]
    return [replace(row, pushed=link.pushed) if link and link.digest == row.digest else row for row, link in found]


def _list_tags(client: RegistryClient, repositories: Iterable[str]) -> list[tuple[str, str]]:
    """Ask the registry for the tags of repositories."""
    names = sorted(repositories)
    found = do_at_once(client.find_tags, names, workers=WORKERS)
    return [(name, tag) for name, tags in zip(names, found, strict=True) for tag in tags]


def _crawl(client: RegistryClient, wanted: Sequence[Pattern]) -> set[str]:
    return {name for name in client.iter_repositories() if not wanted or any(pattern.fits(name) for pattern in wanted)}
