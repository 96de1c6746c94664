"""`prune`: removes the tags that the user's rules of retention let go.

Right before something is removed, the same rules decide about it again: what they no longer let go stays.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from localreg.content.graph import Graph, GraphReader, read_sizes
from localreg.content.pushes import read_pushes, revisions_of
from localreg.content.reading import read_needed_links, reading
from localreg.content.retention import decide
from localreg.content.rules import Decision, Rule, Rules
from localreg.content.untag import is_thrown_away, untag
from localreg.errors import (
    ConflictError,
    DeleteDisabledError,
    LocalregError,
    RegistryUnreachableError,
    RepositoryNotFoundError,
)
from localreg.oci.api import RegistryClient, StoredManifest
from localreg.oci.manifest import EMPTY_CONFIG
from localreg.registry.volume import WritableVolume
from localreg.system.command_line import CommandLine

KNOWN_FROM_VOLUME = "push times"
_EMPTY = f"sha256:{hashlib.sha256(EMPTY_CONFIG).hexdigest()}"
_BATCH = 50
"""Tags and manifests that are removed before the volume is read again."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """The outcome for one tag or manifest."""

    decision: Decision
    error: LocalregError | None = None
    """Why it is still there."""


class Pruner:
    """Finds what goes from a registry, and removes it.

    Args:
        volume: The registry's, which alone knows when a tag was pushed.
        client: A client of the registry.
        rules: The rules, with the moment from which ages count back.
    """

    def __init__(self, volume: WritableVolume, client: RegistryClient, rules: Rules) -> None:
        self._volume = volume
        self._client = client
        self._rules = rules
        self._reader = GraphReader(volume)

    def decide(self) -> tuple[Decision, ...]:
        """Decide about each tag, and about each manifest without one if those are to go; changes nothing.

        Raises:
            EngineError: the volume cannot be read, or the registry's data is not in it.
        """
        # The graph needs sizes that are older than the links.
        with reading(KNOWN_FROM_VOLUME):
            sizes = read_sizes(self._volume)
        links = read_needed_links(self._client, self._volume, KNOWN_FROM_VOLUME)
        return self._decide(self._reader.read(links=links, sizes=sizes))

    def remove(self, removals: Sequence[Decision]) -> Iterator[Pruned]:
        """Remove what goes by a plan. What the rules no longer let go, such as a tag that was pushed since, stays.

        If it is killed, the same rules let the rest go: a tag goes before the one that it follows.

        Raises:
            DeleteDisabledError: deleting is disabled in the registry; nothing was removed.
            RegistryUnreachableError: the registry does not answer.
            EngineError: the volume cannot be read any longer.
        """
        left = sorted(removals, key=removal_order)
        while left:
            batch, left = left[:_BATCH], left[_BATCH:]
            links = self._volume.read_links({part.repository for part in batch})
            graph = self._reader.read(links=links, sizes={})
            going = {(part.key, part.digest) for part in self._decide(graph) if part.goes}
            yield from (self._remove(part, still=(part.key, part.digest) in going) for part in batch)

    def _decide(self, graph: Graph) -> tuple[Decision, ...]:
        names = sorted({repository for repository, _ in graph.revisions}) if self._rules.untagged_before else []
        pushed = read_pushes(self._volume, *map(revisions_of, names)) if names else {}
        return decide(graph, self._rules, interrupted=frozenset(self._interrupted(graph)), pushed=pushed)

    def _interrupted(self, graph: Graph) -> Iterator[tuple[str, str]]:
        """The tags that an interrupted removal has left at a throw-away manifest."""
        nodes = (graph.nodes.get(link.digest or "") for link in graph.tags.values())
        suspects = {node.digest for node in nodes if node and [blob.digest for blob in node.blobs] == [_EMPTY]}
        blobs = self._volume.read_blobs(suspects) if suspects else ()
        thrown = {digest for digest, data in blobs if is_thrown_away(StoredManifest(data, "", digest))}
        yield from (name for name, link in graph.tags.items() if link.digest in thrown)

    def _remove(self, part: Decision, *, still: bool) -> Pruned:
        """Remove a part of the plan, if it is still to go."""
        try:
            if not still:
                self._refuse(part)
            elif part.tag is None:
                self._client.delete_manifest(part.repository, str(part.digest))
            else:
                untag(self._client, part.repository, part.tag, digest=part.digest)
        except RepositoryNotFoundError:
            # Another process was faster.
            return Pruned(part)
        except (DeleteDisabledError, RegistryUnreachableError):
            raise
        except LocalregError as exc:
            return Pruned(part, exc)
        return Pruned(part)

    def _refuse(self, part: Decision) -> None:
        """Say why something stays, if it is still there."""
        repository, reference = part.key
        self._client.head_manifest(repository, reference)
        what = f"`{repository}:{reference}`" if part.tag else f"manifest {reference} of `{repository}`"
        raise ConflictError(f"{what} has changed since the plan was made; it stays", hint=CommandLine("ls", repository))


def removal_order(part: Decision) -> tuple[str, bool, int, bool, str]:
    """The order in which a plan is carried out: the tags of a repository, then its manifests without one.

    A tag goes before the one that it follows, and an index before its parts, or it would be broken in between.
    """
    is_tag = part.tag is not None
    follows = part.rule is Rule.FOLLOWS_GOING
    return part.repository, not is_tag, part.reach if is_tag else -part.reach, not follows, part.key[1]
