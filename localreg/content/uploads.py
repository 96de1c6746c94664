"""Unfinished uploads in a registry's volume."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta

from localreg.registry.volume import WritableVolume
from localreg.registry.volume_layout import REPOSITORIES

_ABANDONED = timedelta(minutes=1)
"""No client is in the middle of an upload that lacks its start time and is older than this."""


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload that no client has ended."""

    repository: str
    folder: str
    """Below the registry's root directory."""
    size: int
    """Bytes."""
    modified: int
    """Seconds since 1970; the last change."""
    has_start: bool
    """It has the time of its start: the registry removes it a week after that, if it runs."""


@dataclass(frozen=True, slots=True)
class Abandoned:
    """The uploads that the registry never removes, such as what a cancelled one leaves behind."""

    old: tuple[Upload, ...] = ()
    """Unchanged for the grace period: these may go."""
    recent: tuple[Upload, ...] = ()
    """The others."""

    @property
    def size(self) -> int:
        """Bytes of those that may go."""
        return sum(upload.size for upload in self.old)


def list_uploads(volume: WritableVolume) -> list[Upload]:
    """All uploads that have a file.

    Raises:
        EngineError: the volume cannot be read.
    """
    found: dict[str, Upload] = {}
    for file in volume.list_files(REPOSITORIES, skip=("_manifests", "_layers")):
        above, mark, below = file.path.partition("/_uploads/")
        name, _, part = below.partition("/")
        if not mark or not part:
            continue
        folder = f"{above}/_uploads/{name}"
        other = found.get(folder) or Upload(above[len(REPOSITORIES) + 1 :], folder, 0, 0, has_start=False)
        found[folder] = Upload(
            other.repository,
            folder,
            other.size + file.size,
            max(other.modified, file.modified),
            has_start=other.has_start or part == "startedat",
        )
    return [found[folder] for folder in sorted(found)]


def find_abandoned(volume: WritableVolume, *, grace: timedelta) -> Abandoned:
    """The uploads that the registry never removes.

    Raises:
        EngineError: the volume cannot be read.
    """
    old = time.time() - max(grace, _ABANDONED).total_seconds()
    found = [upload for upload in list_uploads(volume) if not upload.has_start]
    return Abandoned(
        tuple(upload for upload in found if upload.modified < old),
        tuple(upload for upload in found if upload.modified >= old),
    )


def find_uploading(volume: WritableVolume) -> set[str]:
    """The repositories with an upload."""
    return {upload.repository for upload in list_uploads(volume)}
