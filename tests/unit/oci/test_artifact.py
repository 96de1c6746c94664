from __future__ import annotations

import pytest

from localreg.oci.artifact import Artifact, artifact_of
from localreg.oci.manifest import EMPTY_CONFIG_TYPE, OCI_INDEX, OCI_MANIFEST, Descriptor, Index, Manifest

IMAGE = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
DIGEST = f"sha256:{'a' * 64}"


def manifest(config: str, layer: str = LAYER, artifact_type: str | None = None) -> Manifest:
    return Manifest(
        OCI_MANIFEST, Descriptor(config, DIGEST, 2), (Descriptor(layer, DIGEST, 7),), artifact_type=artifact_type
    )


HELM = "application/vnd.cncf.helm.config.v1+json"
CACHE = "application/vnd.buildkit.cacheconfig.v0"


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        (HELM, "Helm chart"),
        ("application/vnd.wasm.config.v0+json", "WebAssembly"),
        (CACHE, "build cache"),
        ("application/vnd.docker.plugin.v1+json", "Docker plugin"),
        ("application/vnd.example.config", "artifact"),
    ],
)
def test_the_config_tells_an_artifact(config: str, kind: str) -> None:
    assert artifact_of(manifest(config)) == Artifact(kind, config)


@pytest.mark.parametrize(
    ("artifact_type", "kind"),
    [
        ("application/vnd.dev.sigstore.bundle.v0.3+json", "Sigstore bundle"),
        ("application/vnd.cncf.notary.signature", "signature"),
        ("application/vnd.docker.attestation.manifest.v1+json", "attestation"),
        ("application/vnd.cyclonedx+json", "SBOM"),
        ("application/spdx+json", "SBOM"),
        ("application/vnd.docker.compose.project", "Compose project"),
    ],
)
@pytest.mark.parametrize("config", [EMPTY_CONFIG_TYPE, IMAGE, HELM])
def test_its_type_tells_an_artifact_whatever_the_config_is(artifact_type: str, kind: str, config: str) -> None:
    assert artifact_of(manifest(config, artifact_type=artifact_type)) == Artifact(kind, artifact_type)


@pytest.mark.parametrize(
    ("layer", "kind"),
    [
        ("application/vnd.dev.cosign.simplesigning.v1+json", "signature"),
        ("application/vnd.dsse.envelope.v1+json", "attestation"),
        ("application/vnd.in-toto+json", "attestation"),
        ("text/spdx+json", "SBOM"),
        ("application/vnd.ollama.image.model", "AI model"),
    ],
)
def test_the_layers_tell_an_artifact_with_the_config_of_an_image(layer: str, kind: str) -> None:
    assert artifact_of(manifest(IMAGE, layer)) == Artifact(kind, layer)


def test_an_artifact_of_an_unknown_type_is_one() -> None:
    example = "application/vnd.example"
    assert artifact_of(manifest(EMPTY_CONFIG_TYPE, artifact_type=example)) == Artifact("artifact", example)
    assert artifact_of(manifest(EMPTY_CONFIG_TYPE)) == Artifact("artifact", None)
    assert artifact_of(manifest("")) == Artifact("artifact", None)


def test_an_index_and_a_descriptor_tell() -> None:
    sbom = "application/spdx+json"
    assert artifact_of(Index(OCI_INDEX, (), artifact_type=sbom)) == Artifact("SBOM", sbom)
    assert artifact_of(Descriptor(OCI_MANIFEST, DIGEST, 7, artifact_type=sbom)) == Artifact("SBOM", sbom)
    assert artifact_of(Descriptor(CACHE, DIGEST, 7)) == Artifact("build cache", CACHE)


@pytest.mark.parametrize(
    "found",
    [
        manifest(IMAGE),
        manifest("application/vnd.docker.container.image.v1+json"),
        manifest(IMAGE, "application/x"),
        Index(OCI_INDEX, ()),
        Descriptor(LAYER, DIGEST, 7),
    ],
)
def test_an_image_is_no_artifact(found: Manifest | Index | Descriptor) -> None:
    assert artifact_of(found) is None


@pytest.mark.parametrize(
    ("artifact", "shown"),
    [
        (Artifact("SBOM", "application/spdx+json"), "SBOM"),
        (Artifact("artifact", "application/vnd.example"), "application/vnd.example"),
        (Artifact("artifact", None), "artifact"),
        (Artifact("artifact", "application/vnd.unknown.artifact.v1"), "artifact"),
    ],
)
def test_an_unknown_artifact_shows_its_type(artifact: Artifact, shown: str) -> None:
    assert str(artifact) == shown
