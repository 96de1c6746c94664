"""Unfinished uploads in a registry's volume."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from localreg.registry.volume import WritableVolume
from localreg.registry.volume_layout import REPOSITORIES

_ABANDONED_SECONDS = 60
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


def find_abandoned(volume: WritableVolume) -> Iterator[Upload]:
    """The uploads that the registry never removes, such as what a cancelled one leaves behind."""
    old = time.time() - _ABANDONED_SECONDS
    return (upload for upload in list_uploads(volume) if not upload.has_start and upload.modified < old)


def find_uploading(volume: WritableVolume) -> set[str]:
    """The repositories with an upload."""
    return {upload.repository for upload in list_uploads(volume)}
