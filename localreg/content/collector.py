"""Garbage collection of a volume, while its registry runs.

What seems to be waste is renamed into a quarantine in the volume, not deleted. Then the registry is looked at again:
what a manifest needs that was pushed meanwhile is put back. Only later the rest is deleted, after one more look.
Three properties of Distribution 2.8 make this safe. It checks that each layer is there when a manifest is pushed, if it
runs without a cache of blobs. It stores a blob again that is missing. And a rename does not disturb a running download.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import islice

from localreg.content.collected import Collected, Step, Waste
from localreg.content.graph import Graph, GraphReader
from localreg.content.in_use import InUse
from localreg.content.pushes import revision_of
from localreg.content.quarantine import Batch, Quarantine
from localreg.content.uploads import find_abandoned, find_uploading
from localreg.registry.volume import WritableVolume
from localreg.registry.volume_layout import Links, VolumeFile, data_of
from localreg.system.priority import give_way

_AT_ONCE = 2000
"""Blobs that are moved before the registry is looked at again."""
_YOUNG_SECONDS = 5
"""The registry writes a manifest first, then its link, and its tag a moment later: so long is what it writes no waste,
and so long does nothing that was moved get deleted."""
_ANSWER_SECONDS = 2
"""How long the registry may take from its check of the layers to the link of the manifest: so long after a move is the
last look that puts back what is needed, whatever the grace period."""
_LONGEST_GRACE = timedelta(days=36500)
"""The calendar ends before a longer one."""
_DEAD_SECONDS = 60
"""A collection that did nothing for this long was killed."""

Manifests = Collection[tuple[str, str]]
"""The repository and the digest of each."""


class Collector:
    """Collects the garbage of a registry.

    Args:
        volume: The registry's.
        in_use: Finds what pushes under way may need.
        keep_untagged: Manifests without a tag are not waste.
        runs: The registry runs, so that a push may be under way.
        on_step: Told what the collection is doing.
    """

    def __init__(
        self,
        volume: WritableVolume,
        *,
        in_use: Callable[[], InUse] = InUse,
        keep_untagged: bool = False,
        runs: bool = True,
        on_step: Callable[[Step], None] = lambda _: None,
    ) -> None:
        self._volume = volume
        self._in_use = in_use
        self._keep_untagged = keep_untagged
        self._runs = runs
        self._on_step = on_step
        self._reader = GraphReader(volume)
        self._quarantine = Quarantine(volume)
        self.links: Links | None = None
        """Those that were read last, to find waste."""

    def look(self, *, grace: timedelta) -> Collected:
        """Find what a collection would do; changes nothing.

        Raises:
            EngineError: the volume cannot be read.
        """
        with ThreadPoolExecutor(1) as pool:
            # Beside the links: a blob that comes meanwhile is young.
            listed = pool.submit(self._volume.list_blobs)
            others = pool.submit(lambda: (self._quarantine.list(), find_abandoned(self._volume, grace=grace)))
            if not self._volume.is_elsewhere:
                others.result()  # Two threads of this process would take each other's time.
            waste = self._find_waste(listed.result, int(time.time()))
        batches, uploads = others.result()
        until = datetime.now(UTC) - min(grace, _LONGEST_GRACE)
        freed = sum(batch.size for batch in batches if batch.is_deletable(until)) + (0 if grace else waste.size)
        return Collected(
            waste,
            uploads,
            freed=freed + uploads.size,
            waiting=sum(batch.size for batch in batches),
            is_busy=any(batch.is_open for batch in batches),
        )

    def collect(self, *, grace: timedelta) -> Collected:
        """Move waste into the quarantine, and delete what was there for the grace period.

        If it is killed, `finish` does the rest.

        Raises:
            EngineError: the volume cannot be read or changed.
        """
        batches = self._quarantine.list()
        self._finish(batches)
        grace = min(grace, _LONGEST_GRACE)
        # A full disk may have no room for the folders of a new batch.
        uploads = find_abandoned(self._volume, grace=grace)
        self._volume.remove([upload.folder for upload in uploads.old])
        freed, more = self._delete(batches, until=datetime.now(UTC) - grace)
        batch = self._quarantine.begin()
        # The blobs are listed first: those that come later are not waste.
        waste, put_back = self._move(batch, self._volume.list_blobs())
        if self._runs and (batch.blobs or batch.links):
            self._on_step(Step.WAITING)
            time.sleep(max(_ANSWER_SECONDS, _YOUNG_SECONDS - grace.total_seconds()))
            put_back += self._put_back_needed([batch])
        self._quarantine.close(batch)
        waiting = self._quarantine.list()
        now_freed, now_back = self._delete(waiting, until=datetime.now(UTC) - grace)
        # One that was killed before it moved anything has nothing to wait for or to undo.
        moments = [moment for left in waiting if (left.blobs or left.links) and (moment := left.began_at)]
        return Collected(
            waste,
            uploads,
            put_back + more + now_back,
            freed + now_freed + uploads.size,
            sum(left.size for left in waiting),
            max(moments) + grace if moments else None,
            is_busy=any(left.is_open for left in waiting),
        )

    def finish(self) -> int:
        """Put back what is needed of a collection that was killed; returns how much.

        Another one may be running. It makes a look of its own, and this one does no harm.

        Raises:
            EngineError: the volume cannot be read or changed.
        """
        return self._finish(self._quarantine.list())

    def _finish(self, batches: list[Batch]) -> int:
        if not any(batch.is_open for batch in batches):
            return 0
        count = self._put_back_needed(batches)
        for batch in batches:
            if batch.is_open and not self._may_be_alive(batch):
                self._quarantine.close(batch)
        return count

    def undo(self) -> tuple[int, int]:
        """Put back all that is in the quarantine; returns how many blobs and links, and their bytes.

        Raises:
            EngineError: the volume cannot be read or changed.
        """
        batches = self._quarantine.list()
        count = sum(len(batch.blobs) + len(batch.links) for batch in batches)
        size = sum(batch.size for batch in batches)
        for batch in batches:
            # Blobs first: a manifest must not be served without its layers.
            self._quarantine.put_back(batch, blobs=list(batch.blobs))
            self._quarantine.put_back(batch, links=list(batch.links))
        # Another collection, or the shell of one that was killed, may still be moving into one that is open.
        self._quarantine.delete([batch for batch in batches if not (batch.is_open and self._may_be_alive(batch))])
        return count, size

    def _may_be_alive(self, batch: Batch) -> bool:
        """The collection of an open batch may be at work."""
        return time.time() - self._quarantine.last_alive(batch) <= _DEAD_SECONDS

    def _move(self, batch: Batch, blobs: Collection[str]) -> tuple[Waste, int]:
        """Move all waste, a part at a time; after each part, put back what is needed again."""
        left, repositories, put_back = set(blobs), set[str](), 0
        while True:
            waste = self._find_waste(left.copy, self._quarantine.last_alive(batch))
            part = dict(islice(waste.blobs.items(), _AT_ONCE))
            self._on_step(Step.MOVING)
            # Links go first: a manifest must not be served while its layers leave.
            self._quarantine.take_repositories(batch, waste.repositories - repositories)
            self._quarantine.take_manifests(
                batch, {manifest for manifest in waste.manifests if manifest[0] not in waste.repositories}
            )
            self._quarantine.take_blobs(batch, part)
            put_back += self._put_back_needed([batch])
            repositories |= waste.repositories
            left -= part.keys()
            if len(part) == len(waste.blobs):
                moved = Waste(frozenset(batch.revisions), frozenset(repositories), dict(batch.blobs), waste.left)
                return moved, put_back
            self._quarantine.confirm(batch)

    def _delete(self, batches: list[Batch], *, until: datetime) -> tuple[int, int]:
        """Delete those that were moved until a moment, and take them out of the list.

        Args:
            batches: As they were before: what was moved since must not be deleted.
            until: Aware.

        Returns:
            Their bytes, and how many blobs and links were put back instead.
        """
        old = [batch for batch in batches if batch.is_deletable(until)]
        batches[:] = [batch for batch in batches if not batch.is_deletable(until)]
        put_back = self._put_back_needed(old)
        self._on_step(Step.DELETING)
        self._quarantine.delete(old)
        return sum(batch.size for batch in old), put_back

    def _put_back_needed(self, batches: list[Batch]) -> int:
        """Put back what a manifest needs; returns how many blobs and links."""
        self._on_step(Step.LOOKING)
        count = 0
        moved = frozenset[tuple[str, str]]().union(*(batch.revisions for batch in batches))
        for digest, data in self._quarantine.read_manifests(batches, self._reader.known).items():
            self._reader.learn(digest, data)
        while any(batch.blobs or batch.links for batch in batches):
            now = self._reader.read_links()
            graph = self._reader.read_all(Links(now.tags, now.revisions | moved))
            # What the registry serves without a tag was pushed meanwhile, or was left alone.
            kept = self._kept(graph, now.revisions)
            needed = _blobs_of(graph, kept)
            back = 0
            for batch in batches:
                blobs = needed & batch.blobs.keys()
                links = batch.needed_links(kept)
                # Blobs first, as in `undo`.
                self._quarantine.put_back(batch, blobs=blobs)
                self._quarantine.put_back(batch, links=links)
                back += len(blobs) + len(links)
            if not back:
                break
            count += back
        return count

    def _find_waste(self, list_them: Callable[[], Collection[str]], now: int) -> Waste:
        """Find what no tag leads to.

        Args:
            list_them: Lists the digests of the blobs that may be waste, once the links were read.
            now: Seconds since 1970, by the clock of the engine's machine.
        """
        self._on_step(Step.MARKING)
        # Pushes must not wait for it. The look after a move is in a hurry: until then a tag may not be whole.
        with ThreadPoolExecutor(1, initializer=give_way) as pool:
            return pool.submit(self._mark, list_them, now).result()

    def _mark(self, list_them: Callable[[], Collection[str]], now: int) -> Waste:
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(self._in_use)
            named = pool.submit(self._volume.list_repositories)
            links = self.links = self._reader.read_links()
            in_use, repositories = asked.result(), named.result()
        graph, blobs = self._reader.read_all(links), set(list_them())
        kept = self._kept(graph, graph.revisions if self._keep_untagged else ())
        needed = _blobs_of(graph, kept)
        spared = {manifest for manifest in graph.revisions if manifest[1] in in_use.digests}
        spared |= self._find_young(
            {(name, digest) for name, digest in graph.revisions if digest not in kept.get(name, ())}, now
        )
        for repository, digest in spared:
            kept.setdefault(repository, set()).update(graph.manifests_of(repository, [digest]))
        spared_blobs = (_blobs_of(graph, kept) | in_use.digests) - needed
        # Only of these it matters how old and how large they are.
        paths = {data_of(digest): digest for digest in blobs - needed - spared_blobs}
        files = {paths[file.path]: file for file in self._volume.list_files(*paths)}
        old = {digest: file.size for digest, file in files.items() if not _is_young(file, now)}
        emptied = {name for name in repositories if name not in kept} - in_use.repositories
        return Waste(
            frozenset(manifest for manifest in graph.revisions if manifest[1] not in kept.get(manifest[0], ())),
            frozenset(emptied - find_uploading(self._volume) if emptied else ()),
            old,
            len(spared_blobs & blobs) + len(files) - len(old),
        )

    def _kept(self, graph: Graph, untagged: Manifests) -> dict[str, set[str]]:
        """By repository, the digests of the manifests that are not waste: of tags, and of these without one."""
        kept = graph.tagged()
        for repository, digest in untagged:
            if digest not in kept.get(repository, ()):
                kept.setdefault(repository, set()).update(graph.manifests_of(repository, [digest]))
        return kept

    def _find_young(self, manifests: Manifests, now: int) -> set[tuple[str, str]]:
        """The manifests that were pushed a moment ago: their tag may be about to follow."""
        paths = {revision_of(repository, digest): (repository, digest) for repository, digest in manifests}
        return {paths[file.path] for file in self._volume.list_files(*paths) if _is_young(file, now)}


def _blobs_of(graph: Graph, kept: Mapping[str, Iterable[str]]) -> set[str]:
    """The digests of all blobs of manifests."""
    return set[str]().union(*(graph.blobs_of(repository, digests) for repository, digests in kept.items()))


def _is_young(file: VolumeFile, now: int) -> bool:
    """The registry may have written it for a push that has not ended."""
    return file.modified >= now - _YOUNG_SECONDS
