"""Reading the graph of what is to be copied: manifests, their children, and what refers to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from localreg.errors import LocalregError, RegistryUnreachableError
from localreg.oci.api import StoredManifest
from localreg.oci.manifest import Descriptor, Index
from localreg.places.port import Blob, Content, Named, Source, Wanted
from localreg.places.verified import read_whole

_WORKERS = 16
_LARGEST_CONFIG = 1 << 20
_CONFIGS = 32 << 20
"""Bytes of configs that are kept in memory, so that they are read once."""

Key = tuple[str, str]
"""A repository at the source, and a tag or a digest."""
Failed = list[tuple[Wanted, LocalregError]]


@dataclass(frozen=True, slots=True)
class _Node:
    """A manifest in a repository at the source."""

    stored: StoredManifest
    children: tuple[str, ...]
    blobs: tuple[Descriptor, ...]
    config: str | None
    """The digest of its config."""
    referrers: tuple[str, ...]
    """Tags and digests."""


@dataclass(frozen=True, slots=True)
class _Graph:
    nodes: dict[Key, _Node] = field(default_factory=dict)
    """By tag and by digest."""
    errors: dict[Key, LocalregError] = field(default_factory=dict)

    def walk(self, key: Key, seen: set[str]) -> Iterator[tuple[str, _Node]]:
        """A manifest and all that comes along, those that others refer to first; each with its tag or digest.

        Raises:
            LocalregError: one of them cannot be read.
        """
        if key in self.errors:
            raise self.errors[key]
        repository, reference = key
        node = self.nodes[key]
        is_first = node.stored.digest not in seen
        seen.add(node.stored.digest)
        if is_first:
            for child in node.children:
                yield from self.walk((repository, child), seen)
        yield reference, node
        if is_first:
            for referrer in node.referrers:
                yield from self.walk((repository, referrer), seen)


def read_content(source: Source, wanted: Sequence[Wanted], *, referrers: bool = True) -> tuple[Content, Failed]:
    """Read all that manifests consist of.

    Args:
        source: The place that has it.
        wanted: The manifests; one that cannot be read fails, and the others go on.
        referrers: Take along what refers to them, such as signatures.

    Raises:
        RegistryUnreachableError: the source does not respond.
    """
    graph = _read_graph(source, [(each.origin, each.reference) for each in wanted], referrers=referrers)
    names: dict[Named, None] = {}
    members: dict[str, dict[str, None]] = {}
    nodes: dict[str, tuple[str, _Node]] = {}
    failed: Failed = []
    for each in wanted:
        try:
            part = list(graph.walk((each.origin, each.reference), set()))
        except LocalregError as exc:
            failed.append((each, exc))
            continue
        for reference, node in part:
            digest = node.stored.digest
            nodes.setdefault(digest, (each.origin, node))
            members.setdefault(each.repository, {})[digest] = None
            if reference == each.reference:
                names[Named(each.repository, each.tag, digest)] = None
            elif ":" not in reference:
                names[Named(each.repository, reference, digest)] = None
    blobs = dict(_blobs(nodes.values()))
    content = Content(
        list(names),
        {digest: node.stored for digest, (_, node) in nodes.items()},
        {repository: list(digests) for repository, digests in members.items()},
        blobs,
        {digest: frozenset(blob.digest for blob in node.blobs) for digest, (_, node) in nodes.items()},
        _read_configs(source, blobs),
    )
    return content, failed


def _read_graph(source: Source, left: Iterable[Key], *, referrers: bool) -> _Graph:
    """Read manifests level by level, many at once."""
    graph = _Graph()

    def read(key: Key) -> _Node | LocalregError:
        try:
            stored = source.read_manifest(*key)
            known = graph.nodes.get((key[0], stored.digest))
            about = source.find_referrers(key[0], stored.digest) if referrers and known is None else ()
            return known or _node(stored, tuple(about))
        except RegistryUnreachableError:
            raise
        except LocalregError as exc:
            return exc

    with ThreadPoolExecutor(_WORKERS) as pool:
        level = list(dict.fromkeys(left))
        while level:
            found = list(zip(level, pool.map(read, level), strict=True))
            following: dict[Key, None] = {}
            for key, node in found:
                if isinstance(node, LocalregError):
                    graph.errors[key] = node
                    continue
                graph.nodes[key] = graph.nodes[key[0], node.stored.digest] = node
                following |= dict.fromkeys((key[0], reference) for reference in (*node.children, *node.referrers))
            level = [key for key in following if key not in graph.nodes and key not in graph.errors]
    return graph


def _node(stored: StoredManifest, referrers: tuple[str, ...]) -> _Node:
    """The parts of a manifest.

    Raises:
        RegistryError: it is not a manifest.
    """
    found = stored.content
    if isinstance(found, Index):
        # BuildKit's caches are indexes of layers.
        children = tuple(dict.fromkeys(child.digest for child in found.manifests if child.is_manifest))
        return _Node(stored, children, tuple(each for each in found.manifests if not each.is_manifest), None, referrers)
    blobs = (found.config, *(layer for layer in found.layers if not layer.is_foreign))
    return _Node(stored, (), blobs, found.config.digest, referrers)


def _blobs(nodes: Iterable[tuple[str, _Node]]) -> Iterator[tuple[str, Blob]]:
    """Each blob, configs first."""
    found: dict[str, Blob] = {}
    for origin, node in nodes:
        for blob in node.blobs:
            is_config = blob.digest == node.config
            if blob.digest not in found or (is_config and not found[blob.digest].is_config):
                found[blob.digest] = Blob(blob.digest, blob.size, origin, is_config=is_config)
    yield from sorted(found.items(), key=lambda item: not item[1].is_config)


def _read_configs(source: Source, blobs: Mapping[str, Blob]) -> dict[str, bytes]:
    """Read as many of the small configs as fit into memory; one that fails is read again with the layers."""
    wanted: list[Blob] = []
    left = _CONFIGS
    for blob in blobs.values():
        if blob.is_config and blob.size <= min(_LARGEST_CONFIG, left):
            wanted.append(blob)
            left -= blob.size

    def read(blob: Blob) -> bytes | None:
        try:
            return read_whole(source, blob)
        except RegistryUnreachableError:
            raise
        except LocalregError:
            return None

    with ThreadPoolExecutor(_WORKERS) as pool:
        found = zip(wanted, pool.map(read, wanted), strict=True)
        return {blob.digest: data for blob, data in found if data is not None}
