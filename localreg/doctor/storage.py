"""What the registry's volume holds: space, uploads that no client ended, and tags that cannot be pulled."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping

from localreg.content.agreement import agrees
from localreg.content.graph import Graph, GraphReader, read_graph_by_http
from localreg.content.uploads import Upload
from localreg.doctor.check import NotPossibleError
from localreg.doctor.finding import Finding, Severity
from localreg.doctor.scene import Scene
from localreg.errors import EngineError, EngineLostError, RegistryError
from localreg.registry.volume_layout import TagLink
from localreg.system.command_line import CommandLine, Sentence

_MB, _GB = 10**6, 10**9
_LITTLE, _VERY_LITTLE = 2 * _GB, 200 * _MB
"""Bytes of free space."""
_MANY = 100 * _MB
"""Bytes of unfinished uploads that are worth a word."""
_ABANDONED_SECONDS = 3600
_SHOWN = 5
_MOST_BY_HTTP = 500
"""Tags that are read over HTTP, if the volume cannot be."""


def check_disk(scene: Scene) -> Iterator[Finding]:
    """Ask for the free space on the disk that the volume is on, from within the registry's container."""
    try:
        free = scene.volume.free_space()
    except EngineLostError:
        raise
    except EngineError as exc:
        raise NotPossibleError(f"localreg cannot read the registry's volume: {exc.message}") from exc
    if free < _LITTLE:
        is_full = free < _VERY_LITTLE
        yield Finding(
            f"only {free / _GB:.1f} GB are left on the disk with the registry's images",
            "a push of a larger image fails" if is_full else "a push of large images may fail",
            (CommandLine("gc", "--dry-run"), CommandLine("du")),
            severity=Severity.PROBLEM if is_full else Severity.WARNING,
        )


def check_uploads(scene: Scene) -> Iterator[Finding]:
    """Look for uploads that ended long ago without success."""
    now = time.time()
    old = [upload for upload in scene.uploads if upload.modified < now - _ABANDONED_SECONDS]
    total = sum(upload.size for upload in old)
    if total >= _MANY:
        yield Finding(
            f"{len(old)} unfinished uploads occupy {total / _MB:.0f} MB",
            "no image needs them, and their space is lost until they are removed",
            (_cure_of_uploads(old),),
            severity=Severity.WARNING,
        )


def _cure_of_uploads(uploads: Collection[Upload]) -> str:
    if all(upload.has_start for upload in uploads):
        return Sentence("leave it running: the registry removes each one a week after it began")
    return CommandLine("gc")


def check_tags(scene: Scene) -> Iterator[Finding]:
    """Look for tags whose manifest, config or layers are missing."""
    broken = _find_broken(scene)
    if not broken:
        return
    reasons = {f"{repository}:{tag}": what for (repository, tag), what in sorted(broken.items())}
    names = list(reasons)
    shown = ", ".join(f"`{name}`" for name in names[:_SHOWN])
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    yield Finding(
        f"{len(names)} {'tag is' if len(names) == 1 else 'tags are'} broken: {shown}{more}",
        "a pull of them fails",
        (Sentence("push them again, or remove them:"), CommandLine("rm", *names[:_SHOWN])),
        details=tuple(f"{name}  {reasons[name]}" for name in names[:_SHOWN]),
    )


def _find_broken(scene: Scene) -> Mapping[tuple[str, str], str]:
    """By repository and tag, what a broken tag lacks."""
    found = _look(scene)
    if not found:
        return found
    # A push or a removal at the same time looks like damage for a moment.
    again = _look(scene)
    return {key: what for key, what in again.items() if key in found}


def _look(scene: Scene) -> dict[tuple[str, str], str]:
    try:
        volume = scene.volume
        links = GraphReader(volume).read_links()
        if agrees(scene.client, links):
            return damages(GraphReader(volume).read(links=links))
    except EngineLostError:
        raise
    except (EngineError, NotPossibleError):
        pass
    return _look_by_http(scene)


def _look_by_http(scene: Scene) -> dict[tuple[str, str], str]:
    try:
        graph = read_graph_by_http(scene.client, most_tags=_MOST_BY_HTTP)
    except RegistryError as exc:
        raise NotPossibleError(exc.message) from exc
    return {key: "its manifest cannot be read" for key, link in graph.tags.items() if link.digest is None}


def damages(graph: Graph) -> dict[tuple[str, str], str]:
    """By repository and tag, what each broken tag lacks."""
    found = ((key, _damage(graph, link)) for key, link in graph.tags.items())
    return {key: damage for key, damage in found if damage}


def _damage(graph: Graph, link: TagLink) -> str | None:
    if link.digest is None:
        return "its link is empty"
    left, seen = [link.digest], set[str]()
    while left:
        digest = left.pop()
        if digest in seen:
            continue
        seen.add(digest)
        node = graph.nodes.get(digest)
        if node is None or (link.repository, digest) not in graph.revisions:
            return f"manifest {digest} is missing"
        for blob in node.blobs:
            stored = graph.aliases.get((link.repository, blob.digest), blob.digest)
            if blob.is_foreign or not stored.startswith("sha256:"):
                continue
            if stored not in graph.sizes:
                return f"blob {blob.digest} is missing"
            if blob.size and graph.sizes[stored] != blob.size:
                return f"blob {blob.digest} has {graph.sizes[stored]} bytes instead of {blob.size}"
        left += node.children
    return None
