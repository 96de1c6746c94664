"""`du`: the bytes that each repository or tag keeps, and where all others on the disk are.

The parts add up to the disk usage:

    kept by one row alone + shared by rows, once = content of tags
    content of tags + untagged + unreferenced + quarantine + uploads + overhead = disk
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from localreg.content.agreement import agrees
from localreg.content.graph import Graph, GraphReader, read_graph_by_http, read_sizes
from localreg.content.pattern import choose, read_pattern
from localreg.content.quarantine import Quarantine
from localreg.content.uploads import list_uploads
from localreg.errors import EngineError
from localreg.oci.api import RegistryClient
from localreg.registry.volume import WritableVolume
from localreg.registry.volume_layout import TagLink


class SortKey(StrEnum):
    """The order of the rows."""

    SIZE = "size"
    """The largest first."""
    NAME = "name"


@dataclass(frozen=True, slots=True)
class Row:
    """A repository or a tag, with the bytes that it keeps: its manifests, what they refer to, and their referrers."""

    repository: str
    tag: str | None
    """None for a whole repository."""
    total: int
    unique: int
    """Bytes that no other row keeps, shown or not: those that are waste without this one."""

    @property
    def shared(self) -> int:
        """Bytes that another row also keeps."""
        return self.total - self.unique


@dataclass(frozen=True, slots=True)
class Part:
    """Things of one kind."""

    count: int
    size: int
    """Bytes."""


@dataclass(frozen=True, slots=True)
class Storage:
    """The whole volume, and where its bytes are. A file is in one part alone."""

    tagged: int
    """Bytes of what tags lead to."""
    untagged: Part
    """The manifests that no tag leads to, with all that only they refer to."""
    unreferenced: Part
    """The blobs that no manifest refers to."""
    quarantine: Part
    """The blobs that `gc` moved aside and has yet to delete."""
    uploads: Part
    """Unfinished uploads."""
    disk: int
    """Bytes that the volume occupies on the disk."""

    @property
    def overhead(self) -> int:
        """Bytes of links, folders, other files, and blocks that are not full.

        It is negative if the file system stores files in less than their length.
        """
        parts = (self.untagged, self.unreferenced, self.quarantine, self.uploads)
        return self.disk - self.tagged - sum(part.size for part in parts)


@dataclass(frozen=True, slots=True)
class Usage:
    """The bytes that a registry stores."""

    rows: tuple[Row, ...]
    by_tag: bool
    shared: int
    """Bytes that rows share, with each other or with rows that are not shown; each byte once."""
    unreadable: int
    """Tags in the rows that have no readable manifest."""
    storage: Storage | None
    """None if the registry's volume cannot be read; sizes are then those that manifests tell."""
    unknown: str | None = None
    """Why there is no `storage`."""
    missing: tuple[str, ...] = ()
    """The patterns without `*`, `?` or `[...]` that match nothing."""

    @property
    def unique(self) -> int:
        """Bytes that one row alone keeps."""
        return sum(row.unique for row in self.rows)

    @property
    def total(self) -> int:
        """Bytes that the rows keep, each once."""
        return self.unique + self.shared


def find_usage(
    client: RegistryClient | None,
    volume: WritableVolume | None,
    patterns: Sequence[str] = (),
    *,
    by_tag: bool = False,
    sort: SortKey = SortKey.SIZE,
) -> Usage:
    """Find the bytes that a registry stores.

    Args:
        client: A client of the registry; None if this machine cannot reach it: then its volume is believed.
        volume: The registry's; without it, only the content of tags is known.
        patterns: As for `ls`; a pattern with a tag makes each row a tag.
        by_tag: Each row is a tag, not a repository.
        sort: The order of the rows.

    Raises:
        InvalidReferenceError: a pattern without wildcards is not a valid reference, or has a digest.
        RegistryError: the registry cannot be read.
        EngineError: there is no client, and the volume cannot be read.
    """
    wanted = [read_pattern(pattern) for pattern in patterns]
    by_tag = by_tag or any(pattern.tag is not None for pattern in wanted)
    content = _read(client, volume)
    graph = content.graph
    keys, missing = choose(graph.tags, wanted)
    kept: dict[tuple[str, str | None], set[str]] = {}
    for key, manifests in content.manifests.items():
        row = _row_of(*key, by_tag=by_tag)
        kept.setdefault(row, set()).update(_stored(graph, key[0], manifests))
    keepers = Counter(digest for digests in kept.values() for digest in digests)
    rows, shared = [], set[str]()
    for row in dict.fromkeys(_row_of(*key, by_tag=by_tag) for key in keys):
        alone = {digest for digest in kept[row] if keepers[digest] == 1}
        rows.append(Row(*row, _size(graph, kept[row]), _size(graph, alone)))
        shared |= kept[row] - alone
    if sort is SortKey.SIZE:
        rows.sort(key=lambda row: -row.total)
    return Usage(
        tuple(rows),
        by_tag,
        _size(graph, shared),
        sum(1 for key in keys if not _is_readable(graph, graph.tags[key])),
        content.storage,
        content.unknown,
        missing,
    )


@dataclass(frozen=True, slots=True)
class _Content:
    graph: Graph
    manifests: Mapping[tuple[str, str], set[str]]
    """By repository and tag, the digests of the manifests that the tag keeps."""
    storage: Storage | None
    unknown: str | None


def _read(client: RegistryClient | None, volume: WritableVolume | None) -> _Content:
    """Read the content from the volume if it is the registry's, else from the registry."""
    unknown = "its container has no volume that localreg can read"
    if volume is not None:
        try:
            graph = _read_volume(client, volume)
            if graph is not None:
                manifests = _manifests(graph, graph.roots_of)
                return _Content(graph, manifests, _find_storage(volume, graph, manifests), None)
            unknown = "it stores its images elsewhere than in its container's volume"
        except EngineError as exc:
            if client is None:
                raise
            unknown = exc.message
    if client is None:
        raise EngineError(f"cannot read the registry: {unknown}")
    graph = read_graph_by_http(client)
    return _Content(graph, _manifests(graph, lambda link: filter(None, [link.digest])), None, unknown)


def _read_volume(client: RegistryClient | None, volume: WritableVolume) -> Graph | None:
    """The graph of a volume; None if the registry has other content."""
    # The blobs come first, so that what is pushed meanwhile does not seem to be waste.
    sizes = read_sizes(volume)
    links = volume.read_links()
    if client is not None and not agrees(client, links):
        return None
    return GraphReader(volume).read(links=links, sizes=sizes)


def _manifests(graph: Graph, roots_of: Callable[[TagLink], Iterable[str]]) -> dict[tuple[str, str], set[str]]:
    """By repository and tag, the digests of the manifests that the tag keeps."""
    return {
        (repository, tag): graph.manifests_of(repository, roots_of(link))
        for (repository, tag), link in graph.tags.items()
    }


def _find_storage(volume: WritableVolume, graph: Graph, manifests: Mapping[tuple[str, str], set[str]]) -> Storage:
    kept: dict[str, set[str]] = {}
    for (repository, _), digests in manifests.items():
        kept.setdefault(repository, set()).update(digests)
    without_tag = graph.others(kept)
    tagged = set[str]().union(*(_stored(graph, *of) for of in kept.items()))
    untagged = {
        blob
        for repository, digests in without_tag.items()
        for blob in _stored(graph, repository, graph.manifests_of(repository, digests))
    } - tagged
    unreferenced = graph.sizes.keys() - tagged - untagged
    quarantined = [size for batch in Quarantine(volume).list() for size in batch.blobs.values()]
    uploads = [upload.size for upload in list_uploads(volume)]
    return Storage(
        _size(graph, tagged),
        Part(sum(map(len, without_tag.values())), _size(graph, untagged)),
        Part(len(unreferenced), _size(graph, unreferenced)),
        Part(len(quarantined), sum(quarantined)),
        Part(len(uploads), sum(uploads)),
        volume.disk_usage(),
    )


def _row_of(repository: str, tag: str, *, by_tag: bool) -> tuple[str, str | None]:
    return repository, tag if by_tag else None


def _stored(graph: Graph, repository: str, manifests: Iterable[str]) -> set[str]:
    """The digests of the blobs of manifests that the registry has."""
    return graph.blobs_of(repository, manifests) & graph.sizes.keys()


def _size(graph: Graph, digests: Iterable[str]) -> int:
    return sum(graph.sizes[digest] for digest in digests)


def _is_readable(graph: Graph, link: TagLink) -> bool:
    return link.digest in graph.nodes and (link.repository, link.digest) in graph.revisions
