"""`ls --untagged`: the manifests of a registry that no tag leads to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from localreg.content.graph import Graph, GraphReader
from localreg.content.listed import NO_FILTERS, Filters, Listing, SortKey, sort_rows
from localreg.content.pattern import read_pattern
from localreg.content.pushes import read_pushes, revisions_of
from localreg.content.reading import read_needed_links, unread_error
from localreg.content.rows import untagged_rows
from localreg.errors import UsageError
from localreg.oci.api import RegistryClient
from localreg.registry.volume import WritableVolume
from localreg.system.command_line import CommandLine

_WHAT = "manifests without a tag"


def list_untagged(
    client: RegistryClient | None,
    volume: WritableVolume | None,
    patterns: Sequence[str],
    *,
    sort: SortKey = SortKey.NAME,
    filters: Filters = NO_FILTERS,
) -> Listing:
    """List the manifests without a tag, but not those that another one keeps: children of an index, and referrers.

    Args:
        client: A client of the registry; None if this machine cannot reach it.
        volume: The registry's; None if there is no way to read it.
        patterns: Of repositories, as for `list_images`.
        sort: The order of the rows.
        filters: The rows to list.

    Raises:
        InvalidReferenceError: a pattern without wildcards is not a valid reference, or has a digest.
        UsageError: a pattern has a tag.
        EngineError: the volume cannot be read, or the registry's data is not in it.
    """
    wanted = [read_pattern(pattern) for pattern in patterns]
    if tagged := next((pattern for pattern in wanted if pattern.tag is not None), None):
        raise UsageError(
            f"`{tagged}` has a tag; `--untagged` lists manifests without one",
            hint=CommandLine("ls", "--untagged", tagged.repository),
        )
    if volume is None:
        raise unread_error(_WHAT)
    links = read_needed_links(client, volume, _WHAT)
    graph = GraphReader(volume).read(links=links, sizes={})
    found = sorted(
        (repository, digest)
        for repository, untagged in _untagged(graph).items()
        if not wanted or any(pattern.fits(repository) for pattern in wanted)
        for digest in untagged
    )
    pushed = read_pushes(volume, *sorted({revisions_of(repository) for repository, _ in found}))
    rows = untagged_rows(client, volume, links, found, pushed=pushed)
    known = {repository for repository, _ in (*links.revisions, *links.by_tag)}
    missing = [str(pattern) for pattern in wanted if not pattern.is_glob and pattern.repository not in known]
    return Listing(tuple(sort_rows(filter(filters.fits, rows), sort)), tuple(missing))


def _untagged(graph: Graph) -> Mapping[str, set[str]]:
    """By repository, the digests that no tag leads to, and no other manifest."""
    found = graph.others(graph.tagged())
    return {repository: digests - _kept(graph, repository, digests) for repository, digests in found.items()}


def _kept(graph: Graph, repository: str, digests: set[str]) -> set[str]:
    """Those that another one keeps."""
    return {kept for digest in digests for kept in graph.manifests_of(repository, [digest]) if kept != digest}
