"""Reading the graph of what is to be copied: manifests, their children, and what refers to them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from localreg.errors import LocalregError, RegistryError, RegistryUnreachableError
from localreg.oci.api import StoredManifest
from localreg.oci.manifest import Descriptor, Index
from localreg.places.port import Blob, Content, Named, Source, Wanted, named
from localreg.places.verified import check_size, read_whole
from localreg.system.at_once import do_at_once

_WORKERS = 16
_LEVELS = 100
"""Of manifests below and about one another; nothing real has more than a few."""
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
    """Manifests that cannot be read."""
    blobs: dict[str, Blob] = field(default_factory=dict)
    """By digest; configs first."""
    broken: dict[str, LocalregError] = field(default_factory=dict)
    """Blobs that are missing or damaged, by digest."""
    configs: dict[str, bytes] = field(default_factory=dict)

    def walk(self, key: Key, seen: set[str]) -> Iterator[_Node]:
        """A manifest and all below it, those that others refer to first.

        Raises:
            LocalregError: one of them cannot be read, or lacks a blob.
        """
        if key in self.errors:
            raise self.errors[key]
        node = self.nodes[key]
        if node.stored.digest in seen:
            return
        seen.add(node.stored.digest)
        for child in node.children:
            yield from self.walk((key[0], child), seen)
        for blob in node.blobs:
            if blob.digest in self.broken:
                raise self.broken[blob.digest]
        yield node


def read_content(source: Source, wanted: Sequence[Wanted], *, referrers: bool = True) -> tuple[Content, Failed]:
    """Read all that manifests consist of, and see that the place has all of their blobs.

    Args:
        source: The place that has it.
        wanted: The manifests; one that is not whole fails, and the others go on.
        referrers: Take along what refers to them, such as signatures.

    Raises:
        RegistryUnreachableError: the source does not respond.
    """
    graph = _read_graph(source, [(each.origin, each.reference) for each in wanted], referrers=referrers)
    _check_blobs(source, graph)
    asked = set(wanted)
    names: dict[Named, None] = {}
    members: dict[str, dict[str, None]] = {}
    nodes: dict[str, _Node] = {}
    failed: Failed = []
    for each, part in _read_parts(graph, wanted, failed):
        members.setdefault(each.repository, {}).update(dict.fromkeys(node.stored.digest for node in part))
        for node in part:
            nodes.setdefault(node.stored.digest, node)
        if each.tag or each in asked:
            names[Named(each.repository, each.tag, part[-1].stored.digest)] = None
    needs = {digest: frozenset(blob.digest for blob in node.blobs) for digest, node in nodes.items()}
    needed = frozenset[str]().union(*needs.values())
    content = Content(
        list(names),
        {digest: node.stored for digest, node in nodes.items()},
        {repository: list(digests) for repository, digests in members.items()},
        {digest: blob for digest, blob in graph.blobs.items() if digest in needed},
        needs,
        graph.configs,
    )
    return content, failed


def _read_parts(graph: _Graph, wanted: Sequence[Wanted], failed: Failed) -> Iterator[tuple[Wanted, Sequence[_Node]]]:
    """Each wanted manifest, after all below it; then what refers to one of these, in the same way."""
    left, known = deque(wanted), set(wanted)
    while left:
        each = left.popleft()
        try:
            part = list(graph.walk((each.origin, each.reference), set()))
        except LocalregError as exc:
            failed.append((each, naming(each, exc)))
            continue
        yield each, part
        for reference in (reference for node in part for reference in node.referrers):
            more = Wanted(each.origin, reference, each.repository, None if ":" in reference else reference)
            if more not in known:
                known.add(more)
                left.append(more)


def naming(wanted: Wanted, error: LocalregError) -> LocalregError:
    """The error with the name of what cannot be copied; it may be about a part of that."""
    names = [str(wanted), *([named(wanted.origin, wanted.reference)] if wanted.origin else [])]
    if any(name in error.message for name in names):
        return error
    return error.with_(message=f"cannot read `{wanted}`: {error.message}")


def _read_graph(source: Source, left: Iterable[Key], *, referrers: bool) -> _Graph:
    """Read manifests level by level, many at once."""
    graph = _Graph()

    def read(key: Key) -> _Node | LocalregError:
        try:
            stored = source.read_manifest(*key)
            known = graph.nodes.get((key[0], stored.digest))
            about = source.find_referrers(key[0], stored.digest) if referrers and known is None else ()
            return known or _node(source, stored, tuple(about))
        except RegistryUnreachableError:
            raise
        except LocalregError as exc:
            return exc

    level = list(dict.fromkeys(left))
    for _ in range(_LEVELS):
        following: dict[Key, None] = {}
        for key, node in zip(level, do_at_once(read, level, workers=_WORKERS), strict=True):
            if isinstance(node, LocalregError):
                graph.errors[key] = node
                continue
            graph.nodes[key] = graph.nodes[key[0], node.stored.digest] = node
            following |= dict.fromkeys((key[0], reference) for reference in (*node.children, *node.referrers))
        level = [key for key in following if key not in graph.nodes and key not in graph.errors]
    if level:
        too_deep = source.damage(f"manifests refer to one another on more than {_LEVELS} levels")
        graph.errors.update(dict.fromkeys(level, too_deep))
    return graph


def _node(source: Source, stored: StoredManifest, referrers: tuple[str, ...]) -> _Node:
    """The parts of a manifest.

    Raises:
        LocalregError: it is not a manifest.
    """
    try:
        found = stored.content
    except RegistryError as exc:
        raise source.damage(f"{stored.digest} is not a manifest").with_(details=exc.details) from exc
    if isinstance(found, Index):
        # BuildKit's caches are indexes of layers.
        children = tuple(dict.fromkeys(child.digest for child in found.manifests if child.is_manifest))
        return _Node(stored, children, tuple(each for each in found.manifests if not each.is_manifest), None, referrers)
    blobs = (found.config, *(layer for layer in found.layers if not layer.is_foreign))
    return _Node(stored, (), blobs, found.config.digest, referrers)


def _check_blobs(source: Source, graph: _Graph) -> None:
    """Find the blobs of the manifests, and those that are missing or damaged; read the small configs."""
    blobs = _list_blobs(graph)
    small: set[str] = set()
    left = _CONFIGS
    for digest, (first, *_) in blobs.items():
        if first.is_config and first.size <= min(_LARGEST_CONFIG, left):
            small.add(digest)
            left -= first.size

    def check(blob: Blob) -> None:
        if blob.digest in small:
            graph.configs[blob.digest] = read_whole(source, blob)
        else:
            check_size(source, blob)

    def find(digest: str) -> Blob | LocalregError:
        return _find_whole(blobs[digest], check)

    for digest, found in zip(blobs, do_at_once(find, list(blobs), workers=_WORKERS), strict=True):
        if isinstance(found, Blob):
            graph.blobs[digest] = found
        else:
            graph.broken[digest] = found


def _find_whole(blobs: Sequence[Blob], check: Callable[[Blob], None]) -> Blob | LocalregError:
    """A blob from the first repository that has it as the manifest there says; or the first error."""
    errors: list[LocalregError] = []
    for blob in blobs:
        try:
            check(blob)
        except RegistryUnreachableError:
            raise
        except LocalregError as exc:
            errors.append(exc)
        else:
            return blob
    return errors[0]


def _list_blobs(graph: _Graph) -> dict[str, list[Blob]]:
    """Each blob as the manifests of each repository describe it, configs first."""
    found: dict[str, dict[Blob, None]] = {}
    for (origin, _), node in graph.nodes.items():
        for blob in node.blobs:
            is_config = blob.digest == node.config
            found.setdefault(blob.digest, {})[Blob(blob.digest, blob.size, origin, is_config=is_config)] = None
    listed = [sorted(blobs, key=lambda blob: not blob.is_config) for blobs in found.values()]
    return {blobs[0].digest: blobs for blobs in sorted(listed, key=lambda blobs: not blobs[0].is_config)}
