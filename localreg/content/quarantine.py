"""The quarantine of garbage collection: a folder of the registry's volume that waste is renamed into.

Each collection has a folder of its own there, with the same parts as the registry's: what is in it was moved, so it is
its own journal. The file `open` tells that nothing has looked again yet whether a manifest needs what was moved.

    localreg/trash/20261129T051500.123Z/
        open
        blobs/HEX/data
        repositories/NAME/_manifests/revisions/sha256/HEX/link
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from localreg.registry.volume import WritableVolume
from localreg.registry.volume_layout import REPOSITORIES, VolumeFile, data_of, folder_of

TRASH = "localreg/trash"
_OPEN = "open"
_NAME = "%Y%m%dT%H%M%S.%fZ"
_PART = re.compile(
    rf"{TRASH}/(?P<name>[^/]+)/(?:(?P<open>{_OPEN})|blobs/(?P<blob>[0-9a-f]{{64}})/data|repositories/(?P<link>.+))",
    re.ASCII,
)
_TAGS = "/_manifests/tags/"
_REVISION = re.compile(r"(?P<repository>.+)/_manifests/revisions/sha256/(?P<digest>[0-9a-f]{64})/link", re.ASCII)


@dataclass
class Batch:
    """What one collection moved."""

    name: str
    is_open: bool = False
    """The look after the move is still to come."""
    blobs: dict[str, int] = field(default_factory=dict)
    """Bytes of each blob, by its digest."""
    revisions: set[tuple[str, str]] = field(default_factory=set)
    """Repository and digest of each manifest."""
    links: set[str] = field(default_factory=set)
    """The paths of all moved links below `repositories`, those of `revisions` included."""

    @property
    def folder(self) -> str:
        """Its folder, below the registry's root directory."""
        return f"{TRASH}/{self.name}"

    @property
    def size(self) -> int:
        """Bytes of its blobs."""
        return sum(self.blobs.values())

    @property
    def began_at(self) -> datetime | None:
        """Aware; None if the name does not tell."""
        try:
            return datetime.strptime(self.name, _NAME).replace(tzinfo=UTC)
        except ValueError:
            return None

    def is_deletable(self, until: datetime) -> bool:
        """Its collection has ended, and began until a moment; aware."""
        return not self.is_open and (self.began_at or until) <= until

    def tagged_repositories(self) -> set[str]:
        """The repositories of tags in it: their push ended right before all that they had was moved."""
        return {repository for link in self.links for repository, mark, _ in [link.partition(_TAGS)] if mark}

    def needed_links(self, kept: Mapping[str, Collection[str]]) -> set[str]:
        """The links that are needed again: a manifest of theirs is, or their repository has one again.

        Args:
            kept: By repository, the digests of the manifests that are needed.
        """
        pushed_to = self.tagged_repositories()
        return {link for link in self.links if link.partition("/_")[0] in pushed_to or _is_needed(link, kept)}

    def blob_path(self, digest: str) -> str:
        """The path of a blob in it."""
        return f"{self.folder}/blobs/{digest.removeprefix('sha256:')}/data"


class Quarantine:
    """The quarantine of a registry.

    Args:
        volume: The registry's.
    """

    def __init__(self, volume: WritableVolume) -> None:
        self._volume = volume

    def list(self) -> list[Batch]:
        """What is in it, the oldest first."""
        found: dict[str, Batch] = {}
        for file in self._volume.list_files(TRASH):
            if part := _PART.fullmatch(file.path):
                batch = found.setdefault(part["name"], Batch(part["name"]))
                _add(batch, file, part)
        return [found[name] for name in sorted(found)]

    def has_open(self) -> bool:
        """A collection is at work, or was killed; costs one look at the folder."""
        files = self._volume.list_files(TRASH, skip=("blobs", "repositories"))
        return any(file.path.endswith(f"/{_OPEN}") for file in files)

    def begin(self) -> Batch:
        """Begin a batch."""
        batch = Batch(datetime.now(UTC).strftime(_NAME), is_open=True)
        self._volume.make_file(f"{batch.folder}/{_OPEN}")
        return batch

    def last_alive(self, batch: Batch) -> int:
        """When it was begun or last confirmed, in seconds since 1970 by the clock of the engine's machine."""
        return max((file.modified for file in self._volume.list_files(f"{batch.folder}/{_OPEN}")), default=0)

    def take_manifests(self, batch: Batch, manifests: Iterable[tuple[str, str]]) -> None:
        """Move the links of manifests into a batch: the registry no longer serves them."""
        by_repository: dict[str, list[str]] = {}
        for repository, digest in set(manifests) - batch.revisions:
            by_repository.setdefault(repository, []).append(digest.removeprefix("sha256:"))
            batch.revisions.add((repository, digest))
        moves: dict[str, list[str]] = {}
        for repository, found in by_repository.items():
            folder = f"{repository}/_manifests/revisions/sha256"
            batch.links |= {f"{folder}/{encoded}/link" for encoded in found}
            moves[f"{batch.folder}/repositories/{folder}"] = [f"{REPOSITORIES}/{folder}/{one}" for one in found]
        self._volume.move_into(moves)

    def take_blobs(self, batch: Batch, sizes: Mapping[str, int]) -> None:
        """Move blobs into a batch."""
        if not sizes:
            return
        batch.blobs |= sizes
        self._volume.move_into({f"{batch.folder}/blobs": [folder_of(digest) for digest in sizes]})

    def take_repositories(self, batch: Batch, repositories: Collection[str]) -> None:
        """Move all links of emptied repositories into a batch: they leave the catalog."""
        for repository in repositories:
            parts = [f"{REPOSITORIES}/{repository}/{part}" for part in ("_manifests", "_layers")]
            folder = f"{batch.folder}/repositories/{repository}"
            self._volume.move_into({folder: parts})
            # They are listed now: a push may have added some right before the move.
            start = len(f"{batch.folder}/repositories/")
            links = {file.path[start:] for file in self._volume.list_files(folder)}
            batch.links |= links
            batch.revisions |= {revision for link in links if (revision := _revision_of(link))}
            # No upload is removed: only the folders that are empty now.
            self._volume.remove([f"{REPOSITORIES}/{repository}/_uploads/none"])

    def put_back(self, batch: Batch, *, blobs: Collection[str] = (), links: Collection[str] = ()) -> None:
        """Move blobs and links back to where they were; newer ones of the same digest are equal."""
        moves = [(batch.blob_path(digest), data_of(digest)) for digest in blobs]
        moves += [(f"{batch.folder}/repositories/{link}", f"{REPOSITORIES}/{link}") for link in links]
        if not moves:
            return
        self._volume.put_back(moves)
        self._volume.remove([path.rpartition("/")[0] for path, _ in moves])
        for digest in blobs:
            del batch.blobs[digest]
        batch.links.difference_update(links)
        batch.revisions -= {revision for link in links if (revision := _revision_of(link))}

    def confirm(self, batch: Batch) -> None:
        """Tell other processes that its collection is alive."""
        self._volume.make_file(f"{batch.folder}/{_OPEN}")

    def close(self, batch: Batch) -> None:
        """Tell that the look after the move was made."""
        self._volume.remove([f"{batch.folder}/{_OPEN}"])
        batch.is_open = False

    def delete(self, batches: Sequence[Batch]) -> None:
        """Delete batches for good."""
        if batches:
            self._volume.remove([batch.folder for batch in batches])

    def read_manifests(self, batches: Iterable[Batch], known: Collection[str]) -> dict[str, bytes]:
        """The bytes of the manifests in batches, by digest, without those that are known."""
        paths = {
            batch.blob_path(digest): digest
            for batch in batches
            for digest in {digest for _, digest in batch.revisions} & batch.blobs.keys() - set(known)
        }
        return {paths[path]: data for path, data in self._volume.read_files(paths)} if paths else {}


def _add(batch: Batch, file: VolumeFile, part: re.Match[str]) -> None:
    if part["open"]:
        batch.is_open = True
    elif part["blob"]:
        batch.blobs[f"sha256:{part['blob']}"] = file.size
    else:
        batch.links.add(part["link"])
        if revision := _revision_of(part["link"]):
            batch.revisions.add(revision)


def _is_needed(link: str, kept: Mapping[str, Collection[str]]) -> bool:
    repository, _, rest = link.partition("/_")
    if rest.startswith("manifests/revisions/"):
        return f"sha256:{rest.split('/')[-2]}" in kept.get(repository, ())
    return bool(kept.get(repository))


def _revision_of(link: str) -> tuple[str, str] | None:
    found = _REVISION.fullmatch(link)
    return (found["repository"], f"sha256:{found['digest']}") if found else None
