"""Image archives of a few bytes: OCI archives as BuildKit and skopeo write them, and docker-archives."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from localreg.oci.archive.describe import architecture
from localreg.oci.manifest import OCI_INDEX, OCI_MANIFEST

LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def write_tar(path: Path, files: Mapping[str, bytes]) -> None:
    with tarfile.open(path, "w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def blob(files: dict[str, bytes], data: bytes) -> dict[str, Any]:
    digest = hashlib.sha256(data).hexdigest()
    files[f"blobs/sha256/{digest}"] = data
    return {"digest": f"sha256:{digest}", "size": len(data)}


class OciArchive:
    """An OCI archive in the making."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}'}
        self.top: list[dict[str, Any]] = []

    def image(self, architecture: str = architecture(), *, layer_type: str = LAYER, layers: int = 1) -> dict[str, Any]:
        """Add an image; returns its descriptor."""
        config = {"os": "linux", "architecture": architecture}
        layer = {"mediaType": layer_type, **blob(self.files, gzip.compress(b"layer", mtime=0))}
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                **blob(self.files, json.dumps(config).encode()),
            },
            "layers": [layer] * layers,
        }
        return {
            "mediaType": OCI_MANIFEST,
            "platform": config,
            **blob(self.files, json.dumps(manifest).encode()),
        }

    def attestation(self) -> dict[str, Any]:
        """What BuildKit adds to an index; its manifest need not be read."""
        unknown = {"os": "unknown", "architecture": "unknown"}
        return {"mediaType": OCI_MANIFEST, "platform": unknown, **blob(self.files, b"{}")}

    def index(self, *manifests: dict[str, Any]) -> dict[str, Any]:
        """Add an index; returns its descriptor."""
        data = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests}).encode()
        return {"mediaType": OCI_INDEX, **blob(self.files, data)}

    def add(self, descriptor: dict[str, Any], name: str | None = "team/app:1") -> OciArchive:
        """Name something in the outermost index."""
        annotations = {} if name is None else {"org.opencontainers.image.ref.name": name}
        self.top.append({**descriptor, "annotations": annotations})
        return self

    def write(self, path: Path) -> Path:
        """Write it with what was added."""
        self.files["index.json"] = json.dumps({"schemaVersion": 2, "manifests": self.top}).encode()
        write_tar(path, self.files)
        return path


def oci_archive(path: Path, name: str | None = "team/app:1") -> Path:
    """An OCI archive as BuildKit writes it: an index of an image and an attestation."""
    archive = OciArchive()
    return archive.add(archive.index(archive.attestation(), archive.image()), name).write(path)


def docker_archive(path: Path, *names: list[str] | None) -> Path:
    """A docker-archive with an image for each list of names."""
    entries = [{"Config": f"{number}.json", "RepoTags": tags, "Layers": []} for number, tags in enumerate(names)]
    write_tar(path, {"manifest.json": json.dumps(entries).encode()})
    return path
