"""Rows of `ls`, read from a registry or from its volume."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from localreg.content.listed import ListedImage
from localreg.content.stored import StoredContent
from localreg.content.summary import Content, RegistryContent, Summarizer
from localreg.content.untag import is_thrown_away
from localreg.errors import LocalregError, RegistryUnreachableError
from localreg.oci.api import RegistryClient
from localreg.registry.volume import Volume
from localreg.registry.volume_layout import Links, TagLink

WORKERS = 16
"""Requests to the registry at the same time."""
_BATCH = 5000
"""Tags whose manifests and configs are in memory at the same time."""


def asked_rows(client: RegistryClient, tags: Sequence[tuple[str, str]]) -> Iterator[ListedImage]:
    """Ask the registry for each tag."""
    content = RegistryContent(client)
    summarizer = Summarizer(content)
    with ThreadPoolExecutor(WORKERS) as pool:
        yield from filter(None, pool.map(lambda tag: _read_row(content, summarizer, *tag), tags))


def stored_rows(
    client: RegistryClient | None, volume: Volume, links: Links, tags: Sequence[tuple[str, str]]
) -> Iterator[ListedImage]:
    """Read tags from a volume, many at a time; the registry is asked for those that are broken there, if it can be."""
    found = (links.by_tag.get(tag, TagLink(*tag, None, None)) for tag in tags)
    # The time of an empty link is that of a push that has not ended.
    wanted = [(link.repository, link.tag, link.digest, link.pushed if link.digest else None) for link in found]
    return _volume_rows(client, volume, links, wanted)


def untagged_rows(
    client: RegistryClient | None,
    volume: Volume,
    links: Links,
    manifests: Sequence[tuple[str, str]],
    *,
    pushed: Mapping[tuple[str, str], datetime | None],
) -> Iterator[ListedImage]:
    """Read manifests without a tag from a volume, each by its repository and digest."""
    wanted = [(repository, None, digest, pushed.get((repository, digest))) for repository, digest in manifests]
    return _volume_rows(client, volume, links, wanted)


def _volume_rows(
    client: RegistryClient | None,
    volume: Volume,
    links: Links,
    wanted: Sequence[tuple[str, str | None, str | None, datetime | None]],
) -> Iterator[ListedImage]:
    """The rows for repositories, tags, digests and push times."""
    content = StoredContent(volume, links, None if client is None else RegistryContent(client))
    for start in range(0, len(wanted), _BATCH):
        batch = wanted[start : start + _BATCH]
        content.read(digest for _, _, digest, _ in batch if digest is not None)
        summarizer = Summarizer(content)
        for repository, tag, digest, pushed in batch:
            row = _read_row(content, summarizer, repository, tag, digest=digest, pushed=pushed)
            if row is not None:
                yield row


def _read_row(
    content: Content,
    summarizer: Summarizer,
    repository: str,
    tag: str | None,
    *,
    digest: str | None = None,
    pushed: datetime | None = None,
) -> ListedImage | None:
    """Read one tag or digest. A problem with it goes into its row, but a registry that is gone ends the listing.

    Returns:
        None for a tag whose removal was killed; the same `rm` again finishes it.
    """
    media_type = None
    try:
        stored = content.get_manifest(repository, digest or tag or "")
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
