"""The graph of a registry's content: each tag, manifest and blob, and which refers to which.

A tag keeps its manifest. A manifest keeps its config and layers, an index its children, and a subject its referrers.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property

from localreg.errors import RegistryError, RegistryUnreachableError, RepositoryNotFoundError
from localreg.oci.api import RegistryClient
from localreg.oci.digest import is_whole
from localreg.oci.manifest import Descriptor, Index, parse_manifest
from localreg.registry.volume import WritableVolume
from localreg.registry.volume_layout import BLOBS, REPOSITORIES, Links, TagLink, data_of

_WORKERS = 16
_SETTLES = (0.02, 0.05, 0.1, 0.2)
"""Seconds between looks at the link of a tag that the registry is writing."""
_DIGEST = re.compile(rb"sha(?:256:[0-9a-f]{64}|512:[0-9a-f]{128})")
_DATA = re.compile(rf"{BLOBS}/[0-9a-f]{{2}}/([0-9a-f]{{64}})/data", re.ASCII)


@dataclass(frozen=True, slots=True)
class Node:
    """A manifest or an index, as far as it refers to others."""

    digest: str
    size: int
    """Bytes of the manifest itself."""
    media_type: str = ""
    """Empty if it cannot be parsed; then it keeps every digest in its text."""
    children: tuple[str, ...] = ()
    """The digests of an index's manifests."""
    blobs: tuple[Descriptor, ...] = ()
    """Its config and layers; foreign ones as well, which a client may have pushed nevertheless."""
    subject: str | None = None
    """The digest of the manifest that it is about."""

    @property
    def is_broken(self) -> bool:
        """Its bytes are not a manifest."""
        return not self.media_type


@dataclass(frozen=True)
class Graph:
    """The content of a registry at one moment."""

    tags: Mapping[tuple[str, str], TagLink]
    """By repository and tag; also tags that the registry cannot read."""
    revisions: frozenset[tuple[str, str]]
    """Each repository and the digest of a manifest that it has, tagged or not."""
    nodes: Mapping[str, Node]
    """By digest; without the manifests whose bytes are missing or changed."""
    sizes: Mapping[str, int]
    """Bytes of each stored blob, manifests included, by its sha256 digest."""
    aliases: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """The sha256 digest of a blob that a repository knows by another digest."""

    @cached_property
    def referrers(self) -> Mapping[tuple[str, str], tuple[str, ...]]:
        """The digests of the manifests about another one, by repository and that one's digest."""
        found: dict[tuple[str, str], list[str]] = {}
        for repository, digest in sorted(self.revisions):
            node = self.nodes.get(digest)
            if node is not None and node.subject:
                found.setdefault((repository, node.subject), []).append(digest)
        return {key: tuple(digests) for key, digests in found.items()}

    def roots_of(self, link: TagLink) -> Collection[str]:
        """The digest that a tag leads to; while its link is empty, that may be any manifest of its repository."""
        return [link.digest] if link.digest else self._digests.get(link.repository, ())

    @cached_property
    def _digests(self) -> Mapping[str, set[str]]:
        """By repository, the digests of all its manifests."""
        return self.others({})

    def manifests_of(self, repository: str, roots: Iterable[str]) -> set[str]:
        """The digests of manifests in a repository, and of all that they keep there: children and referrers."""
        found: set[str] = set()
        left = list(roots)
        while left:
            digest = left.pop()
            if digest not in found:
                found.add(digest)
                node = self.nodes.get(digest)
                left += (*(node.children if node else ()), *self.referrers.get((repository, digest), ()))
        return found

    def blobs_of(self, repository: str, manifests: Iterable[str]) -> set[str]:
        """The sha256 digests of manifests and of their configs and layers, as they are stored."""
        found: set[str] = set()
        for digest in manifests:
            found.add(digest)
            for blob in self.nodes[digest].blobs if digest in self.nodes else ():
                found.add(self.aliases.get((repository, blob.digest), blob.digest))
        return found

    def keeps(self, repository: str, digest: str) -> frozenset[str]:
        """The sha256 digests of all blobs that a manifest keeps in a repository, itself included."""
        return frozenset(self.blobs_of(repository, self.manifests_of(repository, [digest])))

    def tagged(self) -> dict[str, set[str]]:
        """By repository, the digests of the manifests that a tag keeps."""
        roots: dict[str, set[str]] = {}
        for link in self.tags.values():
            roots.setdefault(link.repository, set()).update(self.roots_of(link))
        return {repository: self.manifests_of(repository, digests) for repository, digests in roots.items()}

    def others(self, kept: Mapping[str, Collection[str]]) -> dict[str, set[str]]:
        """By repository, the digests of the manifests that are not among some."""
        found: dict[str, set[str]] = {}
        for repository, digest in self.revisions:
            if digest not in kept.get(repository, ()):
                found.setdefault(repository, set()).add(digest)
        return found


class GraphReader:
    """Reads the graph from a volume. A second time it reads only the manifests that are new.

    Args:
        volume: The registry's.
    """

    def __init__(self, volume: WritableVolume) -> None:
        self._volume = volume
        self._nodes: dict[str, Node] = {}
        self._aliases: dict[tuple[str, str], str] = {}

    @property
    def known(self) -> Collection[str]:
        """The digests of the manifests that were read."""
        return self._nodes.keys()

    def learn(self, digest: str, data: bytes) -> None:
        """Take a manifest that is not at its place in the volume; ignored if its bytes were changed."""
        if is_whole(digest, data):
            self._nodes[digest] = node_of(digest, data)

    def read_links(self) -> Links:
        """The links of all repositories; those of tags that the registry is writing are read once more.

        Raises:
            EngineError: the volume cannot be read.
        """
        links = self._volume.read_links()
        for pause in _SETTLES:
            written = {link.repository for link in links.tags if link.digest is None}
            if not written:
                break
            time.sleep(pause)
            again = self._volume.read_links(written)
            tags = tuple(link for link in links.tags if link.repository not in written) + again.tags
            links = Links(tags, links.revisions | again.revisions)
        return links

    def read_all(self, links: Links) -> Graph:
        """Read the graph without sizes, and every manifest in it.

        Raises:
            EngineError: one is there, but cannot be read: what it keeps would seem to be kept by nothing.
        """
        graph = self.read(links=links, sizes={})
        digests = {link.digest for link in links.tags if link.digest} | {digest for _, digest in links.revisions}
        digests.update(*(node.children for node in self._nodes.values()))
        unread = {data_of(digest): digest for digest in digests - self._nodes.keys()}
        for path, data in self._volume.read_files(unread) if unread else ():
            self.learn(unread[path], data)
        return self.read(links=links, sizes={}) if self._nodes.keys() & unread.values() else graph

    def read(self, *, links: Links | None = None, sizes: Mapping[str, int] | None = None) -> Graph:
        """Read the graph.

        Args:
            links: The links, if they were read already.
            sizes: The sizes of blobs, if they were read already. They must be older than the links, or a blob that
                is pushed in between seems to be kept by nothing.

        Raises:
            EngineError: the volume cannot be read.
        """
        stored = read_sizes(self._volume) if sizes is None else sizes
        links = links or self._volume.read_links()
        revisions = {digest for _, digest in links.revisions}
        wanted = revisions | {link.digest for link in links.tags if link.digest}
        while missing := wanted - self._nodes.keys():
            found = {digest: node_of(digest, data) for digest, data in self._volume.read_blobs(missing)}
            self._nodes |= found
            # A child without a revision: the registry does not serve it, but its content is not waste.
            wanted = {child for node in found.values() for child in node.children}
        self._read_aliases(links)
        return Graph(links.by_tag, links.revisions, self._nodes, stored, self._aliases)

    def _read_aliases(self, links: Links) -> None:
        """Find the blobs that a manifest names by a digest that is not sha256: they lie under their sha256."""
        named = {
            (repository, blob.digest)
            for repository, digest in links.revisions
            for blob in (self._nodes[digest].blobs if digest in self._nodes else ())
            if not blob.digest.startswith("sha256:")
        }
        places = {
            f"{REPOSITORIES}/{repository}/_layers/{digest.replace(':', '/')}/link": (repository, digest)
            for repository, digest in named - self._aliases.keys()
        }
        if places:
            found = self._volume.read_files(places)
            self._aliases |= {places[path]: content.decode("ascii", errors="replace") for path, content in found}


def read_sizes(volume: WritableVolume) -> dict[str, int]:
    """Bytes of each stored blob, by its digest.

    Raises:
        EngineError: the volume cannot be read.
    """
    found = ((_DATA.fullmatch(file.path), file.size) for file in volume.list_files(BLOBS))
    return {f"sha256:{match.group(1)}": size for match, size in found if match}


def read_graph_by_http(client: RegistryClient, *, most_tags: int | None = None) -> Graph:
    """The graph as far as HTTP shows it: no manifest without a tag, no push time, and sizes as manifests tell them.

    Args:
        client: A client of the registry.
        most_tags: More tags are an error, because reading them takes long; None for no limit.

    Raises:
        RegistryError: the registry cannot be read, or has more tags. A manifest that it cannot read is left out.
    """
    tags: dict[tuple[str, str], TagLink] = {}
    revisions: set[tuple[str, str]] = set()
    nodes: dict[str, Node] = {}

    def read(repository: str, reference: str) -> Node | None:
        try:
            stored = client.get_manifest(repository, reference)
        except RegistryUnreachableError:
            raise
        except (RepositoryNotFoundError, RegistryError):
            return None
        return node_of(stored.digest, stored.data)

    with ThreadPoolExecutor(_WORKERS) as pool:
        repositories = list(client.iter_repositories())
        listed = zip(repositories, pool.map(client.find_tags, repositories), strict=True)
        names = [(repository, tag) for repository, found in listed for tag in found]
        if most_tags is not None and len(names) > most_tags:
            raise RegistryError(f"the registry has {len(names)} tags, too many to read over HTTP")
        for (repository, tag), node in zip(names, pool.map(lambda name: read(*name), names), strict=True):
            tags[repository, tag] = TagLink(repository, tag, node.digest if node else None, None)
            left = [node] if node else []
            while left:
                nodes |= {node.digest: node for node in left}
                revisions |= {(repository, node.digest) for node in left}
                children = [child for node in left for child in node.children if (repository, child) not in revisions]
                left = [found for found in pool.map(read, [repository] * len(children), children) if found]
    sizes = {blob.digest: blob.size for node in nodes.values() for blob in node.blobs if not blob.is_foreign}
    return Graph(tags, frozenset(revisions), nodes, sizes | {node.digest: node.size for node in nodes.values()})


def node_of(digest: str, data: bytes) -> Node:
    """Read a manifest."""
    try:
        parsed = parse_manifest(data)
    except RegistryError:
        # Such as Docker's schema 1, which a registry may still serve.
        named = (match.group().decode() for match in _DIGEST.finditer(data))
        return Node(digest, len(data), blobs=tuple(Descriptor("", name, 0) for name in dict.fromkeys(named)))
    if isinstance(parsed, Index):
        children = tuple(part.digest for part in parsed.manifests if part.is_manifest)
        blobs = tuple(part for part in parsed.manifests if not part.is_manifest)
    else:
        children = ()
        blobs = (parsed.config, *parsed.layers)
    return Node(digest, len(data), parsed.media_type, children, blobs, parsed.subject)
