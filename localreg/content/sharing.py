"""The place of a manifest in its registry: other tags of it, and the tags that share its layers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from localreg.content.agreement import agrees
from localreg.content.found import Found
from localreg.content.graph import Graph, GraphReader, read_graph_by_http
from localreg.content.pushes import read_pushes, revision_of
from localreg.errors import EngineError
from localreg.oci.api import RegistryClient
from localreg.registry.volume import WritableVolume
from localreg.registry.volume_layout import data_of

_MOST_TAGS = 1000
"""More tags than this are not read over HTTP."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The registry around its manifests."""

    graph: Graph
    volume: WritableVolume | None
    """The volume that the graph was read from; None if the registry was asked for all of it."""

    def find_push(self, found: Found) -> datetime | None:
        """The last push to the tag, or of the digest that the reference leads to; None if only the volume would tell.

        Returns:
            Aware.
        """
        repository, tag = found.repository, found.reference.tag
        if tag is None:
            return None if self.volume is None else _pushed(self.volume, repository, found.top)
        link = self.graph.tags.get((repository, tag))
        return None if link is None or link.digest != found.top else link.pushed

    def others_of(self, found: Found) -> tuple[str, ...]:
        """The other tags of the same digest, as `repository:tag`."""
        own = (found.repository, found.reference.tag)
        tags = (tag for tag, link in self.graph.tags.items() if link.digest == found.stored.digest and tag != own)
        return tuple(sorted(f"{repository}:{tag}" for repository, tag in tags))

    def find_sharers(self, blobs: Collection[str], *, besides: Collection[str]) -> dict[str, tuple[str, ...]]:
        """The tags that have some blobs, as `repository:tag`.

        Args:
            blobs: The digests of the blobs.
            besides: The digests of manifests whose tags do not count.
        """
        wanted = set(blobs)
        has: dict[str, set[str]] = {}
        found: dict[str, list[str]] = {digest: [] for digest in wanted}
        for (repository, tag), link in sorted(self.graph.tags.items()):
            if link.digest is None or link.digest in besides:
                continue
            if link.digest not in has:
                has[link.digest] = wanted.intersection(_blobs_of(self.graph, link.digest))
            for digest in has[link.digest]:
                found[digest].append(f"{repository}:{tag}")
        return {digest: tuple(tags) for digest, tags in found.items()}

    def read_sizes(self, digests: Collection[str]) -> Mapping[str, int] | None:
        """Bytes of some blobs' files; without the missing ones. None if no volume can be read."""
        if self.volume is None:
            return None
        by_path = {data_of(digest): digest for digest in digests if digest.startswith("sha256:")}
        try:
            return {by_path[file.path]: file.size for file in self.volume.list_files(*by_path)}
        except EngineError:
            return None


def read_surroundings(client: RegistryClient | None, volume: WritableVolume | None) -> Surroundings:
    """Read a registry as a whole: from its volume if it serves what is there, else over HTTP.

    Args:
        client: A client of the registry; None if this machine cannot reach it.
        volume: Its volume; None if only HTTP leads to it.

    Raises:
        EngineError: there is no client, and the volume cannot be read.
        RegistryError: the registry cannot be read, or has too many tags.
    """
    if volume is not None:
        try:
            links = volume.read_links()
            if client is None or agrees(client, links):
                return Surroundings(GraphReader(volume).read(links=links, sizes={}), volume)
        except EngineError:
            if client is None:
                raise
    if client is None:
        raise ValueError("there is neither a client nor a volume")
    return Surroundings(read_graph_by_http(client, most_tags=_MOST_TAGS), None)


def _pushed(volume: WritableVolume, repository: str, digest: str) -> datetime | None:
    try:
        return read_pushes(volume, revision_of(repository, digest)).get((repository, digest))
    except EngineError:
        return None


def _blobs_of(graph: Graph, digest: str) -> Iterator[str]:
    """The digests of a manifest's config and layers, and of all its children's."""
    left, seen = [digest], set[str]()
    while left:
        node = graph.nodes.get(left.pop())
        if node is not None and node.digest not in seen:
            seen.add(node.digest)
            yield from (blob.digest for blob in node.blobs)
            left += node.children
