"""An OCI image layout in a folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from localreg.oci.archive.files import blob_path
from localreg.oci.manifest import OCI_INDEX


class LayoutFolder:
    """Puts things into an OCI image layout; its index is written with each name.

    Args:
        path: The folder; it is made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        self._entries: list[dict[str, Any]] = []
        self._write_index()

    def file(self, digest: str) -> Path:
        """The file of a blob or a manifest."""
        return self.path / blob_path(digest)

    def blob(self, _repository: str, data: bytes, media_type: str, *, algorithm: str = "sha256") -> dict[str, Any]:
        digest = f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"
        self.file(digest).parent.mkdir(parents=True, exist_ok=True)
        self.file(digest).write_bytes(data)
        return {"mediaType": media_type, "digest": digest, "size": len(data)}

    def manifest(self, repository: str, tag: str, manifest: Mapping[str, Any]) -> dict[str, Any]:
        stored = self.blob(repository, json.dumps(manifest).encode(), str(manifest["mediaType"]))
        if tag:
            name = {"org.opencontainers.image.ref.name": f"{repository}:{tag}"}
            self._entries.append({**stored, "annotations": name})
            self._write_index()
        return stored

    def _write_index(self) -> None:
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": self._entries}
        (self.path / "index.json").write_text(json.dumps(index))
