"""How Distribution's filesystem driver stores links and blobs: `registry/storage/paths.go` of Distribution 2.8.3.

The registry writes its links in place: an empty one is being written, or was when the registry was killed; only HTTP
tells which.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

ROOT = "docker/registry/v2"
BLOBS = f"{ROOT}/blobs/sha256"
REPOSITORIES = f"{ROOT}/repositories"
LARGEST = 4 << 20
"""Bytes of the largest blob that is read. No manifest is larger, and configs are small."""
DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class TagLink:
    """A tag as the registry stores it."""

    repository: str
    tag: str
    digest: str | None
    """The digest of its manifest; None if the link is empty."""
    pushed: datetime | None
    """Aware, in whole seconds; the time of the last push to this tag. None beyond the year 9999."""


@dataclass(frozen=True)
class Links:
    """The content of repositories."""

    tags: tuple[TagLink, ...]
    """In no order; also tags that the registry cannot read."""
    revisions: frozenset[tuple[str, str]]
    """Each repository and the digest of a manifest that it has, tagged or not."""

    @cached_property
    def by_tag(self) -> dict[tuple[str, str], TagLink]:
        """The tags by repository and tag."""
        return {(link.repository, link.tag): link for link in self.tags}


@dataclass(frozen=True, slots=True)
class VolumeFile:
    """A file of the volume."""

    path: str
    """Below the registry's root directory."""
    size: int
    """Bytes."""
    modified: int
    """Seconds since 1970, by the clock of the engine's machine."""


def folder_of(digest: str) -> str:
    """The path of a blob's folder, below the registry's root directory."""
    encoded = digest.removeprefix("sha256:")
    return f"{BLOBS}/{encoded[:2]}/{encoded}"


def data_of(digest: str) -> str:
    """The path of a blob's bytes, below the registry's root directory."""
    return f"{folder_of(digest)}/data"


def read_link(repository: str, tag: str, content: str, seconds: int) -> TagLink:
    """A tag from the content and the time of its link."""
    return TagLink(repository, tag, content if DIGEST.fullmatch(content) else None, moment_of(seconds))


def moment_of(seconds: int) -> datetime | None:
    """The time of a file, aware; None beyond the year 9999."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
