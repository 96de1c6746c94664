"""The rows of `ls`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from localreg.oci.artifact import Artifact


@dataclass(frozen=True, slots=True)
class ListedImage:
    """One tag, or a manifest without one."""

    repository: str
    tag: str | None
    """None for a manifest without a tag; its digest is then known."""
    digest: str | None = None
    media_type: str | None = None
    platforms: tuple[str, ...] = ()
    size: int | None = None
    """Bytes of configs and layers as stored, each once; attestations and foreign layers are not counted."""
    created: datetime | None = None
    """Aware; the creation time of its newest image."""
    artifact: Artifact | None = None
    """The kind of artifact; None for an image."""
    pushed: datetime | None = None
    """Aware; the last push to the tag; None if only the volume would tell it."""
    error: str | None = None
    """Why it could not be read; the rest may then be missing."""

    @property
    def name(self) -> str:
        """The repository and the tag, or the digest if there is no tag."""
        return f"{self.repository}@{self.digest}" if self.tag is None else f"{self.repository}:{self.tag}"


@dataclass(frozen=True, slots=True)
class Listing:
    """The tags that were found, by repository and tag."""

    rows: tuple[ListedImage, ...]
    missing: tuple[str, ...] = ()
    """The patterns without `*`, `?` or `[...]` that match nothing."""


class SortKey(StrEnum):
    """The order of a listing."""

    NAME = "name"
    PUSHED = "pushed"
    """The last push first."""
    SIZE = "size"
    """The largest first."""


def sort_rows(rows: Iterable[ListedImage], key: SortKey) -> list[ListedImage]:
    """Order rows; those of which the key is not known come last."""
    match key:
        case SortKey.NAME:
            return list(rows)
        case SortKey.PUSHED:
            return sorted(rows, key=lambda row: -row.pushed.timestamp() if row.pushed else 0)
        case SortKey.SIZE:
            return sorted(rows, key=lambda row: 1 if row.size is None else -row.size)


Fits = Callable[[ListedImage], bool]


@dataclass(frozen=True, slots=True)
class Filters:
    """Conditions for rows. A row fits if it meets one of each key."""

    by_key: Mapping[str, Sequence[Fits]]

    def __bool__(self) -> bool:
        return bool(self.by_key)

    def fits(self, row: ListedImage) -> bool:
        """The row is to be listed."""
        return all(any(fits(row) for fits in conditions) for conditions in self.by_key.values())

    @property
    def needs_pushes(self) -> bool:
        """They compare the time of the last push."""
        return not self.by_key.keys().isdisjoint({"since", "until"})


NO_FILTERS = Filters({})
