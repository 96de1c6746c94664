"""Files in containers, as archives that both engines exchange them in."""

from __future__ import annotations

import io
import tarfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from localreg.engines.files import ContainerFile


@dataclass(frozen=True, slots=True)
class Upload:
    """An archive, and the folder of the container to unpack it in."""

    folder: str
    archive: bytes = field(repr=False)


def upload_of(container: Mapping[str, Any], folder: str, files: Mapping[str, ContainerFile]) -> Upload:
    """Pack files for a container.

    The archive is unpacked in the volume that the folder is in, if there is one: while the container is stopped, Podman
    would put the files behind the volume, where the container does not see them.

    Args:
        container: As `GET /containers/{id}/json` describes it.
        folder: An absolute path in it; the engine creates it.
        files: The content of each file, by name.
    """
    place = PurePosixPath(folder)
    mounts = [PurePosixPath(mount["Destination"]) for mount in container.get("Mounts") or ()]
    base = max((mount for mount in mounts if place.is_relative_to(mount)), default=PurePosixPath("/"))
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, file in files.items():
            entry = tarfile.TarInfo(str(place.relative_to(base) / name))
            entry.mode, entry.size, entry.mtime = file.mode, len(file.data), int(time.time())
            archive.addfile(entry, io.BytesIO(file.data))
    # Without the zeros that fill the last record: Podman unpacks in a process that may end before these are written to
    # it, and then fails.
    return Upload(str(base), packed.getvalue()[: archive.offset])


def only_file_in(chunks: Iterable[bytes]) -> bytes | None:
    """The content of the file that an engine packed; None if it packed something else, such as a folder."""
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
        entry = archive.next()
        content = None if entry is None or not entry.isreg() else archive.extractfile(entry)
        return None if content is None else content.read()
