"""Puts things into a real registry as a client would."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import urllib3

from localreg.oci.manifest import DOCKER_MANIFEST, OCI_MANIFEST

OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


class BlobUnknownError(Exception):
    """The registry refuses a manifest: it lacks a part of it."""


class Writer:
    """Puts things into a registry as a client would."""

    def __init__(self, base_url: str) -> None:
        self._pool = urllib3.connectionpool.connection_from_url(base_url)

    def blob(self, repository: str, data: bytes, media_type: str) -> dict[str, Any]:
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        upload = self._pool.request("POST", f"/v2/{repository}/blobs/uploads/")
        place = upload.headers["Location"]
        put = self._pool.request("PUT", f"{place}&digest={digest}", body=data)
        assert put.status == 201, put.data
        return {"mediaType": media_type, "digest": digest, "size": len(data)}

    def manifest(self, repository: str, tag: str, manifest: Mapping[str, Any]) -> dict[str, Any]:
        data = json.dumps(manifest).encode()
        headers = {"Content-Type": str(manifest["mediaType"])}
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        put = self._pool.request("PUT", f"/v2/{repository}/manifests/{tag or digest}", body=data, headers=headers)
        if b'"MANIFEST_BLOB_UNKNOWN"' in put.data:
            raise BlobUnknownError(put.data)
        assert put.status == 201, put.data
        return {"mediaType": manifest["mediaType"], "digest": digest, "size": len(data)}

    def image(
        self, repository: str, tag: str = "", *, architecture: str = "amd64", docker: bool = False
    ) -> dict[str, Any]:
        config = json.dumps({"os": "linux", "architecture": architecture, "created": "2026-01-01T00:00:00Z"}).encode()
        manifest = {
            "schemaVersion": 2,
            "mediaType": DOCKER_MANIFEST if docker else OCI_MANIFEST,
            "config": self.blob(repository, config, DOCKER_CONFIG if docker else OCI_CONFIG),
            "layers": [self.blob(repository, b"layer" * 100, LAYER)],
        }
        return self.manifest(repository, tag, manifest)

    def delete(self, repository: str, digest: str) -> None:
        assert self._pool.request("DELETE", f"/v2/{repository}/manifests/{digest}").status == 202
