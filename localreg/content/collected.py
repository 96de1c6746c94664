"""The outcome of a garbage collection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from localreg.content.uploads import Abandoned


class Step(StrEnum):
    """What a collection is doing."""

    MARKING = "finding what no tag leads to"
    MOVING = "moving it into quarantine"
    WAITING = "waiting for pushes under way"
    LOOKING = "looking for what was pushed meanwhile"
    DELETING = "deleting from quarantine"
    RETURNING = "putting back what is in quarantine"


@dataclass(frozen=True, slots=True)
class Waste:
    """What no tag leads to."""

    manifests: frozenset[tuple[str, str]] = frozenset()
    """The repository and the digest of each."""
    repositories: frozenset[str] = frozenset()
    """Those that have no manifest without these."""
    blobs: Mapping[str, int] = field(default_factory=dict)
    """Bytes of each blob, by its digest; manifests included."""
    left: int = 0
    """Blobs and manifests that were left alone because a push under way may need them."""

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(self.blobs.values())


@dataclass(frozen=True, slots=True)
class Collected:
    """The outcome of a collection."""

    waste: Waste
    """What was moved, or would be."""
    uploads: Abandoned = field(default_factory=Abandoned)
    """Those that are old were removed, or would be."""
    put_back: int = 0
    """Blobs and links that were needed again."""
    freed: int = 0
    """Bytes that were deleted, or would be."""
    waiting: int = 0
    """Bytes in the quarantine."""
    deletable_at: datetime | None = None
    """Aware; when the last of them may be deleted; None if there are none."""
    is_busy: bool = False
    """A part of the quarantine is of a collection that is at work, or was interrupted a moment ago."""
    stops: bool = False
    """The registry was stopped meanwhile, or would be, because it has a cache."""
    outage: float = 0
    """Seconds without the registry."""

    @property
    def is_empty(self) -> bool:
        """There was nothing to move or remove."""
        return not (self.waste.blobs or self.waste.manifests or self.waste.repositories or self.uploads.old)
