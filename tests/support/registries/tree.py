"""A registry's root directory, written as Distribution writes it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from support.registries.fake import FakeRegistry

from localreg.errors import EngineError
from localreg.oci.manifest import OCI_INDEX, OCI_MANIFEST
from localreg.registry.volume_layout import TagLink

PUSHED = datetime(2026, 11, 1, 12, 0, 0, tzinfo=UTC)
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def run_here(command: Sequence[str]) -> Iterator[bytes]:
    """Run a command of a container on this machine, and return its output in small pieces, as an engine does."""
    done = subprocess.run(command, capture_output=True, check=False)
    for start in range(0, len(done.stdout), 7):
        yield done.stdout[start : start + 7]
    if done.returncode:
        raise EngineError(f"exit code {done.returncode}", details=done.stderr.decode().splitlines())


class Tree:
    """A registry's root directory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "docker/registry/v2"
        for part in ("blobs", "repositories"):
            (self.root / part).mkdir(parents=True)

    @staticmethod
    def digest(data: bytes) -> str:
        return f"sha256:{hashlib.sha256(data).hexdigest()}"

    def blob(self, data: bytes) -> str:
        digest = self.digest(data)
        encoded = digest.removeprefix("sha256:")
        place = self.root / f"blobs/sha256/{encoded[:2]}/{encoded}/data"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        return digest

    def layer(self, repository: str, data: bytes) -> str:
        """A blob that a repository has."""
        digest = self.blob(data)
        link = self.root / f"repositories/{repository}/_layers/{digest.replace(':', '/')}/link"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.write_text(digest)
        return digest

    def tag(self, repository: str, tag: str, content: str, *, pushed: datetime = PUSHED) -> TagLink:
        manifests = self.root / "repositories" / repository / "_manifests"
        for folder in (f"tags/{tag}/current", f"tags/{tag}/index/sha256/{'0' * 64}"):
            (manifests / folder).mkdir(parents=True, exist_ok=True)
            (manifests / folder / "link").write_text(content)
        (manifests.with_name("_layers") / "sha256").mkdir(parents=True, exist_ok=True)
        os.utime(manifests / "tags" / tag / "current/link", (pushed.timestamp(),) * 2)
        return TagLink(repository, tag, content or None, pushed)

    def revision(self, repository: str, digest: str) -> tuple[str, str]:
        algorithm, _, encoded = digest.partition(":")
        folder = self.root / "repositories" / repository / "_manifests/revisions" / algorithm / encoded
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "link").write_text(digest)
        return repository, digest

    def manifest(self, repository: str, content: Mapping[str, Any]) -> str:
        """A manifest that no tag leads to."""
        digest = self.blob(json.dumps(content).encode())
        self.revision(repository, digest)
        return digest

    def image(self, repository: str, *, layers: Sequence[bytes], subject: str | None = None) -> str:
        """The manifest of an image, with its config and layers."""
        content: dict[str, Any] = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": {"mediaType": _CONFIG, "digest": self.layer(repository, b"{}"), "size": 2},
            "layers": [
                {"mediaType": _LAYER, "digest": self.layer(repository, data), "size": len(data)} for data in layers
            ],
        }
        if subject:
            content["subject"] = {"mediaType": OCI_MANIFEST, "digest": subject, "size": 1}
        return self.manifest(repository, content)

    def index(self, repository: str, children: Sequence[str]) -> str:
        """An index of manifests."""
        entries = [{"mediaType": OCI_MANIFEST, "digest": child, "size": 1} for child in children]
        return self.manifest(repository, {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries})

    def take_over(self, registry: FakeRegistry) -> None:
        """The content of a registry in this process: each of its repositories has all of its manifests."""
        for data in (*registry.blobs.values(), *(data for _, data in registry.manifests.values())):
            self.blob(data)
        for repository, tags in registry.tags.items():
            for digest in registry.manifests:
                self.revision(repository, digest)
            for tag, digest in (tags or {}).items():
                self.tag(repository, tag, digest)
