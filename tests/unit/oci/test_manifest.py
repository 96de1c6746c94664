from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localreg.errors import RegistryError
from localreg.oci.manifest import (
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    Index,
    Manifest,
    Platform,
    parse_manifest,
)

DIGEST = f"sha256:{'a' * 64}"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"


def descriptor(media_type: str = "application/x", **more: object) -> dict[str, object]:
    return {"mediaType": media_type, "digest": DIGEST, "size": 7, **more}


def parse(found: object, media_type: str | None = None) -> Manifest | Index:
    return parse_manifest(json.dumps(found).encode(), media_type)


def parse_image(found: dict[str, object], media_type: str | None = None) -> Manifest:
    parsed = parse(found, media_type)
    assert isinstance(parsed, Manifest)
    return parsed


def parse_index(*children: dict[str, object]) -> Index:
    parsed = parse({"schemaVersion": 2, "manifests": children}, OCI_INDEX)
    assert isinstance(parsed, Index)
    return parsed


@pytest.mark.parametrize(("media_type", "config"), [(OCI_MANIFEST, OCI_CONFIG), (DOCKER_MANIFEST, DOCKER_CONFIG)])
def test_an_image_is_read(media_type: str, config: str) -> None:
    found = {"schemaVersion": 2, "config": descriptor(config), "layers": [descriptor(size=9)]}
    parsed = parse_image(found, media_type)
    layers = (Descriptor("application/x", DIGEST, 9),)
    assert parsed == Manifest(media_type, Descriptor(config, DIGEST, 7), layers)
    assert parsed.is_image


@pytest.mark.parametrize("media_type", [OCI_INDEX, DOCKER_INDEX])
def test_an_index_is_read(media_type: str) -> None:
    platform = {"os": "linux", "architecture": "arm64", "variant": "v8", "os.version": "1"}
    parsed = parse({"schemaVersion": 2, "manifests": [descriptor(OCI_MANIFEST, platform=platform)]}, media_type)
    child = Descriptor(OCI_MANIFEST, DIGEST, 7, Platform("linux", "arm64", "v8", "1"))
    assert parsed == Index(media_type, (child,))


@pytest.mark.parametrize(
    ("platform", "shown"),
    [
        ({"os": "linux", "architecture": "arm64", "variant": "v8"}, "linux/arm64/v8"),
        ({"os": "windows", "architecture": "amd64", "os.version": "10.0.20348.1006"}, "windows(10.0.20348.1006)/amd64"),
    ],
)
def test_a_platform_is_spelled_as_docker_spells_it(platform: dict[str, str], shown: str) -> None:
    assert str(parse_index(descriptor(platform=platform)).manifests[0].platform) == shown


@pytest.mark.parametrize(
    ("media_type", "urls", "foreign"),
    [
        ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", ["https://mcr.example.com/layer"], True),
        ("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", ["https://mcr.example.com/layer"], True),
        # Without another place that has it, the registry insists on having it, and so it does for any other type.
        ("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", None, False),
        ("application/vnd.oci.image.layer.v1.tar+gzip", ["https://mcr.example.com/layer"], False),
    ],
)
def test_a_foreign_layer_is_told_from_a_stored_one(media_type: str, urls: list[str] | None, *, foreign: bool) -> None:
    found = {"schemaVersion": 2, "config": descriptor(OCI_CONFIG), "layers": [descriptor(media_type, urls=urls)]}
    assert parse_image(found, OCI_MANIFEST).layers[0].is_foreign is foreign


@pytest.mark.parametrize(
    ("header", "own", "body", "kind"),
    [
        (None, DOCKER_MANIFEST, {"config": descriptor()}, DOCKER_MANIFEST),
        (f"{OCI_MANIFEST}; charset=utf-8", None, {"config": descriptor()}, OCI_MANIFEST),
        ("application/json", DOCKER_INDEX, {"manifests": []}, DOCKER_INDEX),
        ("text/plain", None, {"manifests": []}, OCI_INDEX),
        (None, None, {"config": descriptor()}, OCI_MANIFEST),
        (None, None, {"manifests": None}, OCI_INDEX),
    ],
)
def test_the_kind_is_what_the_registry_says_then_what_the_manifest_says(
    header: str | None, own: str | None, body: dict[str, Any], kind: str
) -> None:
    assert parse({**body, **({"mediaType": own} if own else {})}, header).media_type == kind


@pytest.mark.parametrize(
    "child",
    [
        descriptor(platform={"os": "unknown", "architecture": "unknown"}),
        descriptor(
            platform={"os": "linux", "architecture": "amd64"},
            annotations={"vnd.docker.reference.type": "attestation-manifest"},
        ),
    ],
)
def test_an_attestation_is_told_from_an_image(child: dict[str, object]) -> None:
    assert parse_index(child).manifests[0].is_attestation


@pytest.mark.parametrize("platform", [None, {}, {"os": "linux", "architecture": "amd64"}, {"os": "unknown"}])
def test_an_image_is_no_attestation(platform: dict[str, str] | None) -> None:
    # Podman and Kaniko write indexes whose children say half a platform or none.
    child = descriptor(platform=platform)
    known = bool(platform) and platform != {"os": "unknown"}
    assert parse_index(child).manifests[0].is_attestation is (platform == {"os": "unknown"})
    assert (str(parse_index(child).manifests[0].platform) == "linux/amd64") is known


@pytest.mark.parametrize(
    ("config", "artifact"),
    [
        ("application/vnd.oci.empty.v1+json", "application/vnd.example.sbom"),
        ("application/vnd.cncf.helm.config.v1+json", None),
        ("", None),
    ],
)
def test_an_artifact_is_no_image(config: str, artifact: str | None) -> None:
    found: dict[str, object] = {
        "schemaVersion": 2,
        "artifactType": artifact,
        "config": descriptor(config),
        "layers": [descriptor()],
    }
    parsed = parse_image(found, OCI_MANIFEST)
    assert not parsed.is_image


def test_schema_1_is_named() -> None:
    signed = "application/vnd.docker.distribution.manifest.v1+prettyjws"
    with pytest.raises(RegistryError, match=r"\b1\b") as caught:
        parse({"schemaVersion": 1, "fsLayers": [{"blobSum": DIGEST}]}, signed)
    assert caught.value.details == ()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"null",
        b"[]",
        b"7",
        b"{}",
        b"[" * 100_000,
        b'{"config": 7}',
        b'{"config": {}}',
        b'{"config": {"digest": "../etc"}}',
        b'{"config": {"digest": "%s", "size": 1e999}}' % DIGEST.encode(),
        b'{"config": {"digest": "%s", "annotations": 7}}' % DIGEST.encode(),
        b'{"manifests": 7}',
        b'{"manifests": [7]}',
    ],
)
def test_what_is_no_manifest_is_an_error_of_ours(data: bytes) -> None:
    with pytest.raises(RegistryError) as caught:
        parse_manifest(data, OCI_MANIFEST if b"manifests" not in data else OCI_INDEX)
    assert len(caught.value.details) == 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(DIGEST),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
descriptors = st.fixed_dictionaries(
    {},
    optional={
        "digest": st.just(DIGEST) | json_values,
        "mediaType": json_values,
        "size": json_values,
        "annotations": json_values,
        "artifactType": json_values,
        "urls": json_values,
        "platform": json_values
        | st.fixed_dictionaries(
            {}, optional=dict.fromkeys(("os", "architecture", "variant", "os.version"), json_values)
        ),
    },
)
manifests = st.fixed_dictionaries(
    {},
    optional={
        "schemaVersion": st.just(2) | json_values,
        "mediaType": st.sampled_from([OCI_INDEX, OCI_MANIFEST]) | json_values,
        "artifactType": json_values,
        "config": descriptors | json_values,
        "layers": st.lists(descriptors, max_size=2) | json_values,
        "manifests": st.lists(descriptors, max_size=2) | json_values,
    },
)


@given(manifests, st.sampled_from([None, OCI_INDEX, DOCKER_MANIFEST, "text/html"]))
def test_any_json_is_a_manifest_that_can_be_used_or_an_error_of_ours(
    found: dict[str, object], media_type: str | None
) -> None:
    with contextlib.suppress(RegistryError):
        parsed = parse(found, media_type)
        parts = parsed.manifests if isinstance(parsed, Index) else (parsed.config, *parsed.layers)
        for part in parts:
            assert part.digest == DIGEST
            assert part.size >= 0
            assert part.is_attestation in (True, False)
            assert part.is_foreign in (True, False)
            assert isinstance(str(part.platform), str)
            assert hash(part.platform) == hash(part.platform)


def test_an_annotation_that_is_not_text_becomes_text() -> None:
    index = parse_index(descriptor(OCI_MANIFEST, annotations={"one": 1, "none": None, "list": []}))
    assert index.manifests[0].annotations == {"one": "1", "none": "None", "list": "[]"}
    assert parse({"manifests": [], "annotations": {"one": 1}}).annotations == {"one": "1"}
