"""The times when manifests were pushed, which only a registry's volume has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from localreg.registry.volume import WritableVolume
from localreg.registry.volume_layout import REPOSITORIES, moment_of

_REVISION = re.compile(rf"{REPOSITORIES}/(.+)/_manifests/revisions/sha256/([0-9a-f]{{64}})/link", re.ASCII)


def revisions_of(repository: str) -> str:
    """The path of the folder that has a link for each manifest of a repository, tagged or not."""
    return f"{REPOSITORIES}/{repository}/_manifests/revisions/sha256"


def revision_of(repository: str, digest: str) -> str:
    """The path of a manifest's link."""
    return f"{revisions_of(repository)}/{digest.removeprefix('sha256:')}/link"


def read_pushes(volume: WritableVolume, *paths: str) -> Mapping[tuple[str, str], datetime | None]:
    """When each manifest was pushed last, by repository and digest; aware.

    Args:
        volume: The registry's.
        paths: Those of links, or of folders with links.

    Raises:
        EngineError: they cannot be read.
    """
    files = ((_REVISION.fullmatch(file.path), file.modified) for file in volume.list_files(*paths))
    return {(match[1], f"sha256:{match[2]}"): moment_of(modified) for match, modified in files if match}
