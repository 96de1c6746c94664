"""An image for two platforms as BuildKit pushes it, with all that a registry can hold about it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from support.registries.fake import CONFIG, LAYER, FakeRegistry
from support.registries.tree import Tree

from localreg.oci.manifest import EMPTY_CONFIG_TYPE, OCI_INDEX, OCI_MANIFEST

BASE = b"base" * 20_000
SBOM = "application/spdx+json"
PROVENANCE = "https://slsa.dev/provenance/v1"

STEPS = (
    {"created": "2026-10-01T08:00:00Z", "created_by": "ADD rootfs.tar.gz / # buildkit"},
    {"created": "2026-10-01T08:00:00Z", "created_by": 'CMD ["/bin/sh"]', "empty_layer": True},
    {"created": "2026-11-01T08:00:00Z", "created_by": "ENV APP_HOME=/srv/app", "empty_layer": True},
    {
        "created": "2026-11-01T08:00:01Z",
        "created_by": "RUN /bin/sh -c apk add --no-cache ca-certificates tini curl &&     rm -rf /var/cache # buildkit",
    },
    {"created": "2026-11-01T08:00:02Z", "created_by": "COPY api /srv/app/api # buildkit"},
)
RUNS = {
    "Entrypoint": ["/sbin/tini", "--"],
    "Cmd": ["/srv/app/api", "--listen", ":8080"],
    "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "APP_HOME=/srv/app"],
    "User": "1000:1000",
    "WorkingDir": "/srv/app",
    "ExposedPorts": {"8080/tcp": {}, "9090/tcp": {}},
    "Volumes": {"/srv/data": {}},
    "StopSignal": "SIGINT",
    "Labels": {
        "org.opencontainers.image.source": "https://git.example.com/team/api",
        "org.opencontainers.image.revision": "4f2e23a9",
    },
}


class Target(Protocol):
    """Something that stores blobs and manifests."""

    def blob(self, repository: str, data: bytes, media_type: str) -> dict[str, Any]:
        """Store a blob; returns its descriptor."""

    def manifest(self, repository: str, tag: str, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Store a manifest, with a tag if there is one; returns its descriptor."""


class Shelf:
    """Puts images and what is about them into a registry.

    Args:
        target: The registry.
        repository: Where in it.
    """

    def __init__(self, target: Target, repository: str) -> None:
        self._target = target
        self._repository = repository

    def image(self, tag: str = "", *, architecture: str = "amd64", layers: Sequence[bytes] = ()) -> dict[str, Any]:
        """An image of a base layer that all have, and two of its own."""
        content = layers or (BASE, f"packages for {architecture}".encode() * 9000, f"api for {architecture}".encode())
        config = {
            "os": "linux",
            "architecture": architecture,
            "created": "2026-11-01T08:00:02Z",
            "config": RUNS,
            "history": STEPS,
        }
        return self._target.manifest(
            self._repository,
            tag,
            {
                "schemaVersion": 2,
                "mediaType": OCI_MANIFEST,
                "config": self._blob(json.dumps(config).encode(), CONFIG),
                "layers": [self._blob(data, LAYER) for data in content],
            },
        )

    def attestation(self, image: Mapping[str, Any]) -> dict[str, Any]:
        """The statement of BuildKit about an image, for its index."""
        statement = self._blob(b'{"about": "%s"}' % str(image["digest"]).encode(), "application/vnd.in-toto+json")
        empty = {"os": "unknown", "architecture": "unknown"}
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": self._blob(json.dumps(empty).encode(), CONFIG),
            "layers": [{**statement, "annotations": {"in-toto.io/predicate-type": PROVENANCE}}],
        }
        return {
            **self._target.manifest(self._repository, "", manifest),
            "platform": empty,
            "annotations": {
                "vnd.docker.reference.digest": image["digest"],
                "vnd.docker.reference.type": "attestation-manifest",
            },
        }

    def index(self, *tags: str, architectures: Sequence[str] = ("amd64", "arm64")) -> dict[str, Any]:
        """An index of images with their attestations, under some tags."""
        images = [
            {**self.image(architecture=name), "platform": {"os": "linux", "architecture": name}}
            for name in architectures
        ]
        children = [*images, *map(self.attestation, images)]
        index = {
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": children,
            "annotations": {"org.opencontainers.image.version": "1.4.2"},
        }
        for tag in tags[1:]:
            self._target.manifest(self._repository, tag, index)
        return self._target.manifest(self._repository, tags[0] if tags else "", index)

    def signature(self, subject: str) -> dict[str, Any]:
        """A signature as cosign 2 stores it."""
        payload = self._blob(
            b'{"critical": "%s"}' % subject.encode(), "application/vnd.dev.cosign.simplesigning.v1+json"
        )
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": self._blob(b'{"architecture": "", "os": ""}', CONFIG),
            "layers": [payload],
        }
        return self._target.manifest(self._repository, f"{subject.replace(':', '-')}.sig", manifest)

    def sbom(self, subject: Mapping[str, Any], *, listed: bool) -> dict[str, Any]:
        """An SBOM as oras attaches it: with a subject, and maybe listed in the index of the fallback."""
        document = self._blob(b'{"of": "%s"}' % str(subject["digest"]).encode(), SBOM)
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": SBOM,
            "config": self._blob(b"{}", EMPTY_CONFIG_TYPE),
            "layers": [{**document, "annotations": {"org.opencontainers.image.title": "sbom.spdx.json"}}],
            "subject": {key: subject[key] for key in ("mediaType", "digest", "size")},
            "annotations": {"listed": str(listed)},
        }
        stored = self._target.manifest(self._repository, "", manifest)
        if listed:
            index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [{**stored, "artifactType": SBOM}]}
            self._target.manifest(self._repository, str(subject["digest"]).replace(":", "-"), index)
        return stored

    def chart(self, tag: str) -> dict[str, Any]:
        """A Helm chart."""
        chart = self._blob(b"chart" * 700, "application/vnd.cncf.helm.chart.content.v1.tar+gzip")
        return self._target.manifest(
            self._repository,
            tag,
            {
                "schemaVersion": 2,
                "mediaType": OCI_MANIFEST,
                "config": self._blob(b'{"name": "app"}', "application/vnd.cncf.helm.config.v1+json"),
                "layers": [chart],
                "annotations": {"org.opencontainers.image.title": "app", "org.opencontainers.image.version": "1.2.0"},
            },
        )

    def _blob(self, data: bytes, media_type: str) -> dict[str, Any]:
        return self._target.blob(self._repository, data, media_type)


class InFake:
    """Puts things into a registry in this process.

    Args:
        registry: The registry.
    """

    def __init__(self, registry: FakeRegistry) -> None:
        self._registry = registry

    def blob(self, _repository: str, data: bytes, media_type: str) -> dict[str, Any]:
        digest, size = self._registry.put_blob(data)
        return {"mediaType": media_type, "digest": digest, "size": size}

    def manifest(self, repository: str, tag: str, manifest: Mapping[str, Any]) -> dict[str, Any]:
        media_type = str(manifest["mediaType"])
        digest = self._registry.put_manifest(manifest, media_type, at=f"{repository}:{tag}" if tag else "")
        return {"mediaType": media_type, "digest": digest, "size": len(self._registry.manifests[digest][1])}


class InTree:
    """Puts things into a registry's root directory.

    Args:
        tree: The root directory.
    """

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    def blob(self, repository: str, data: bytes, media_type: str) -> dict[str, Any]:
        return {"mediaType": media_type, "digest": self._tree.layer(repository, data), "size": len(data)}

    def manifest(self, repository: str, tag: str, manifest: Mapping[str, Any]) -> dict[str, Any]:
        digest = self._tree.manifest(repository, manifest)
        if tag:
            self._tree.tag(repository, tag, digest)
        return {"mediaType": manifest["mediaType"], "digest": digest, "size": len(json.dumps(manifest))}
