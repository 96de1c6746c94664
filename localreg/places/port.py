"""What a place of content owes: a source has manifests and blobs, a target takes them.

The idea is that of regclient's schemes and of oras' storages: one way to copy, whatever the places are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from localreg.errors import LocalregError, RegistryError
from localreg.oci.api import StoredManifest
from localreg.oci.manifest import Index


class BlobsGoneError(RegistryError):
    """Blobs that the target had have gone, before a manifest needed them."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A manifest to copy, and its name at the target."""

    origin: str
    """The repository that has it at the source."""
    reference: str
    """Its tag or digest there."""
    repository: str
    """The repository at the target."""
    tag: str | None
    """The tag at the target; None for none."""

    def __str__(self) -> str:
        return named(self.repository, self.tag or self.reference)


@dataclass(frozen=True, slots=True)
class Named:
    """A manifest at the target."""

    repository: str
    tag: str | None
    """None if it is only known by its digest."""
    digest: str

    def __str__(self) -> str:
        return named(self.repository, self.tag or self.digest)


@dataclass(frozen=True, slots=True)
class Blob:
    """A config or a layer."""

    digest: str
    size: int
    """Bytes."""
    origin: str
    """A repository that has it at the source."""
    is_config: bool
    """Configs are small, and readers want them first."""


@dataclass(frozen=True)
class Content:
    """All that is to be copied: the graph of the manifests, once each."""

    names: Sequence[Named]
    manifests: Mapping[str, StoredManifest]
    """By digest; those that others refer to come first."""
    members: Mapping[str, Sequence[str]]
    """By repository at the target, the digests of its manifests, in the order of `manifests`."""
    blobs: Mapping[str, Blob]
    """By digest; configs first."""
    needs: Mapping[str, frozenset[str]]
    """By digest of a manifest, those of its own blobs."""
    configs: Mapping[str, bytes] = field(default_factory=dict)
    """Small configs that were read already, by digest."""

    @property
    def size(self) -> int:
        """Bytes of all manifests and blobs."""
        return sum(len(stored.data) for stored in self.manifests.values()) + sum(
            blob.size for blob in self.blobs.values()
        )

    def below(self, digest: str) -> set[str]:
        """The digests of a manifest and of all its children."""
        found: set[str] = set()
        left = [digest]
        while left:
            each = left.pop()
            # An index may list one several times.
            if each not in found and each in self.manifests:
                found.add(each)
                parsed = self.manifests[each].content
                left += [child.digest for child in parsed.manifests] if isinstance(parsed, Index) else []
        return found

    def names_with(self, blob: str) -> list[Named]:
        """The names that lead to a blob."""
        holders = {digest for digest, blobs in self.needs.items() if blob in blobs}
        return [name for name in self.names if self.below(name.digest) & holders]

    def blobs_below(self, digest: str) -> set[str]:
        """The digests of the blobs of a manifest and of all its children."""
        return set[str]().union(*(self.needs[each] for each in self.below(digest)))

    def blobs_of(self, repository: str) -> set[str]:
        """The digests of the blobs of a repository at the target."""
        return set[str]().union(*(self.needs[digest] for digest in self.members.get(repository, ())))


class Source(Protocol):
    """A place to copy from; safe to use from several threads."""

    def read_manifest(self, repository: str, reference: str) -> StoredManifest:
        """A manifest or an index, checked against its digest.

        Raises:
            RepositoryNotFoundError: there is none.
            LocalregError: it cannot be read.
        """

    def find_referrers(self, repository: str, digest: str) -> Iterable[str]:
        """The tags and digests of the manifests about another one, such as its signatures."""

    def find_size(self, blob: Blob) -> int | None:
        """Bytes that it has of a blob; None if it lacks the blob."""

    def read_blob(self, blob: Blob) -> Iterator[bytes]:
        """The bytes of a blob; the caller checks them.

        Raises:
            LocalregError: it cannot be read.
        """

    def damage(self, what: str, blob: str = "", /) -> LocalregError:
        """The error for something in this place that is not what it has to be.

        Args:
            what: A sentence, such as `blob sha256:… is missing`.
            blob: The digest of a blob that turned out to have other content than it tells.
        """


class Target(Protocol):
    """A place to copy to."""

    workers: int
    """How many blobs it takes at once."""

    def begin(self, content: Content) -> Sequence[Blob]:
        """Get ready for all of this; returns the blobs that the target lacks, in the order in which it wants them.

        Raises:
            BlobsGoneError: blobs that were there have gone; all can be begun again. So for the other two.
            LocalregError: it cannot be written.
        """

    def put_blob(self, blob: Blob, read: Callable[[], Iterator[bytes]]) -> None:
        """Take one of these blobs; `read` gives its bytes, from the beginning each time."""

    def finish(self, content: Content) -> None:
        """Take the manifests and the names, once all blobs are there."""


class Watcher(Protocol):
    """Is told how a copy goes on; from several threads."""

    def begin(self, total: int) -> None:
        """So many bytes are to be copied."""

    def advance(self, count: int) -> None:
        """So many bytes more were copied; below 0 if they have to be copied again."""


class Unwatched:
    """Does nothing."""

    def begin(self, total: int) -> None:
        """Do nothing."""

    def advance(self, count: int) -> None:
        """Do nothing."""


def named(repository: str, reference: str) -> str:
    """A repository with a tag or a digest."""
    return f"{repository}{'@' if ':' in reference else ':'}{reference}"
