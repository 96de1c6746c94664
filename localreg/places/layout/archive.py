"""Writing an OCI image layout into a tar file, in one pass.

`index.json` and all manifests come first, so that a reader can list the archive from its beginning; then the configs,
then the layers. The same content makes the same file, byte for byte.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from localreg.oci.archive.files import blob_path
from localreg.oci.config import parse_config
from localreg.oci.manifest import OCI_INDEX, Manifest
from localreg.places.layout.names import CREATED, annotations_of
from localreg.places.port import Blob, Content, Named

_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'


class Output(Protocol):
    """A file to write to."""

    def write(self, data: bytes, /) -> object:
        """Write all of these bytes."""


class ArchiveTarget:
    """An OCI archive that is being written.

    Args:
        output: Gets the bytes, in order.
        location: The registry's part of the full names, such as `localhost:5000`.
    """

    workers = 1

    def __init__(self, output: Output, *, location: str) -> None:
        self._output = output
        self._location = location
        self._size = 0

    def begin(self, content: Content) -> Sequence[Blob]:
        """Write all but the blobs."""
        entries = [self._entry(name, content) for name in content.names]
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
        self._add("oci-layout", _LAYOUT)
        self._add("index.json", json.dumps(index, indent=1).encode())
        for digest, stored in content.manifests.items():
            self._add(blob_path(digest), stored.data)
        return list(content.blobs.values())

    def put_blob(self, blob: Blob, read: Callable[[], Iterator[bytes]]) -> None:
        """Write a config or a layer."""
        self._head(blob_path(blob.digest), blob.size)
        for chunk in read():
            self._write(chunk)
        self._fill(tarfile.BLOCKSIZE)

    def finish(self, _content: Content) -> None:
        """Write the end of the archive."""
        self._write(bytes(2 * tarfile.BLOCKSIZE))
        self._fill(tarfile.RECORDSIZE)

    def _entry(self, name: Named, content: Content) -> dict[str, Any]:
        stored = content.manifests[name.digest]
        created = _created(name.digest, content)
        return {
            "mediaType": stored.content.media_type,
            "digest": name.digest,
            "size": len(stored.data),
            "annotations": annotations_of(name, location=self._location) | ({CREATED: created} if created else {}),
        }

    def _add(self, path: str, data: bytes) -> None:
        self._head(path, len(data))
        self._write(data)
        self._fill(tarfile.BLOCKSIZE)

    def _head(self, path: str, size: int) -> None:
        member = tarfile.TarInfo(path)
        member.size = size
        self._write(member.tobuf(tarfile.PAX_FORMAT))

    def _fill(self, block: int) -> None:
        self._write(bytes(-self._size % block))

    def _write(self, data: bytes) -> None:
        self._output.write(data)
        self._size += len(data)


def _created(digest: str, content: Content) -> str | None:
    """When an image was made; for several platforms, the newest."""
    configs = (parse_config(content.configs[blob]) for blob in _configs_of(digest, content))
    found = [config.created for config in configs if config.created]
    return max(found).isoformat() if found else None


def _configs_of(digest: str, content: Content) -> Iterator[str]:
    """The digests of the configs of an image, for each platform."""
    for each in content.below(digest):
        parsed = content.manifests[each].content
        if isinstance(parsed, Manifest) and parsed.is_image and parsed.config.digest in content.configs:
            yield parsed.config.digest
