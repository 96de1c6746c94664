from __future__ import annotations

import json
import math
from datetime import UTC, datetime

import pytest
from support.registries.fake import CONFIG, LAYER, FakeRegistry, child

from localreg.content.listed import ListedImage, Listing
from localreg.content.ls import list_images
from localreg.errors import InvalidReferenceError, RegistryError, RegistryUnreachableError
from localreg.oci.api import RegistryClient
from localreg.oci.artifact import Artifact
from localreg.oci.manifest import DOCKER_INDEX, DOCKER_MANIFEST, EMPTY_CONFIG_TYPE, OCI_INDEX, OCI_MANIFEST


def listing(registry: FakeRegistry, *patterns: str) -> Listing:
    with RegistryClient(registry.base_url) as client:
        return list_images(client, patterns)


def rows(registry: FakeRegistry, *patterns: str) -> tuple[ListedImage, ...]:
    return listing(registry, *patterns).rows


@pytest.mark.parametrize("media_type", [OCI_MANIFEST, DOCKER_MANIFEST])
def test_an_image_is_a_row(registry: FakeRegistry, media_type: str) -> None:
    digest = registry.put_image("app:1", layers=[b"x" * 100, b"y" * 50], media_type=media_type)
    config = next(data for data in registry.blobs.values() if b"created" in data)
    created = datetime(2026, 1, 1, tzinfo=UTC)
    assert rows(registry) == (
        ListedImage("app", "1", digest, media_type, ("linux/amd64",), 150 + len(config), created),
    )


@pytest.mark.parametrize("media_type", [OCI_INDEX, DOCKER_INDEX])
def test_an_index_counts_each_blob_once_and_no_attestation(registry: FakeRegistry, media_type: str) -> None:
    shared = b"s" * 1000
    amd = registry.put_image(layers=[shared], created="2026-01-01T00:00:00Z")
    arm = registry.put_image(layers=[shared], platform="linux/arm64/v8", created="2026-03-01T00:00:00Z")
    note = registry.put_image(layers=[b"n" * 5000], platform="unknown/unknown")
    children = [child(amd, "linux/amd64"), child(arm, "linux/arm64/v8"), child(note, "unknown/unknown")]
    registry.put_index(children, at="app:1", media_type=media_type)
    (row,) = rows(registry)
    assert row.platforms == ("linux/amd64", "linux/arm64/v8")
    assert row.created == datetime(2026, 3, 1, tzinfo=UTC)
    configs = sum(len(data) for data in registry.blobs.values() if b"arch" in data and b"unknown" not in data)
    assert row.size == 1000 + configs


def test_what_has_a_digest_is_fetched_once(registry: FakeRegistry) -> None:
    one = registry.put_image()
    registry.put_index([child(one, "linux/amd64")], at="app:1")
    for repository in ("app", "other"):
        for tag in range(20):
            registry.put_index([child(one, "linux/amd64")], at=f"{repository}:{tag}")
            registry.put_image(f"{repository}:image-{tag}")
    assert len(rows(registry)) == 80
    by_digest = {path: count for path, count in registry.requests.items() if "sha256:" in path}
    assert set(by_digest.values()) == {1}
    assert len({path.rpartition("/")[2] for path in by_digest}) == len(by_digest)


def test_an_index_of_indexes_is_followed(registry: FakeRegistry) -> None:
    image = registry.put_image(platform="linux/riscv64")
    inner = registry.put_index([child(image, "linux/riscv64")])
    registry.put_index([child(inner, media_type=OCI_INDEX)], at="app:1")
    assert rows(registry)[0].platforms == ("linux/riscv64",)


def test_a_missing_child_does_not_hide_the_others(registry: FakeRegistry) -> None:
    image = registry.put_image()
    registry.put_index([child(image, "linux/amd64"), child(f"sha256:{'0' * 64}", "linux/arm64")], at="app:1")
    (row,) = rows(registry)
    assert (row.platforms, row.error) == (("linux/amd64", "linux/arm64"), None)


def test_a_child_that_other_repositories_lack_is_counted_where_it_is(registry: FakeRegistry) -> None:
    # As after deleting one platform: the index is the same everywhere, what can be reached of it is not.
    amd = registry.put_image(layers=[b"x" * 1000])
    arm = registry.put_image(layers=[b"y" * 5000], platform="linux/arm64")
    lacking = [f"lacking-{number}" for number in range(40)]
    for name in (*lacking, "whole"):
        registry.put_index([child(amd, "linux/amd64"), child(arm, "linux/arm64")], at=f"{name}:1")
    registry.faults = {f"/v2/{name}/manifests/{arm}": "absent" for name in lacking}
    configs = sum(len(data) for data in registry.blobs.values() if b"arch" in data)
    found = rows(registry)
    assert (len(found), found[-1].repository, found[-1].size) == (41, "whole", 6000 + configs)
    assert all(row.error is None for row in found)


EMPTY = {"mediaType": EMPTY_CONFIG_TYPE, "digest": f"sha256:{'4' * 64}", "size": 2}
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
CACHE = "application/vnd.buildkit.cacheconfig.v0"


def put_artifact(
    registry: FakeRegistry, artifact_type: str, at: str = "", *, data: bytes = b"x" * 50, created: str = ""
) -> str:
    digest, size = registry.put_blob(data)
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": artifact_type,
        "config": EMPTY,
        "layers": [{"mediaType": "application/x", "digest": digest, "size": size}],
        "annotations": {"org.opencontainers.image.created": created} if created else None,
    }
    return registry.put_manifest(manifest, OCI_MANIFEST, at=at)


def test_an_artifact_has_a_kind_a_size_and_no_platform(registry: FakeRegistry) -> None:
    put_artifact(registry, "application/vnd.cncf.helm.config.v1+json", "chart:1")
    (row,) = rows(registry)
    assert (row.platforms, row.size, row.created, row.error) == ((), 52, None, None)
    assert row.artifact == Artifact("Helm chart", "application/vnd.cncf.helm.config.v1+json")
    # Its empty config says nothing.
    assert not [path for path in registry.requests if "/blobs/" in path]


def test_an_artifact_was_created_when_its_annotation_says(registry: FakeRegistry) -> None:
    put_artifact(registry, "application/vnd.example", "app:1", created="2026-02-03T04:05:06Z")
    put_artifact(registry, "application/vnd.example", "app:2", created="yesterday")
    assert [row.created for row in rows(registry)] == [datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC), None]


def test_an_image_whose_config_has_no_time_was_created_when_its_annotation_says(registry: FakeRegistry) -> None:
    digest = registry.put_image(created="0001-01-01T00:00:00Z")
    manifest = json.loads(registry.manifests[digest][1])
    annotations = {"org.opencontainers.image.created": "2026-02-03T00:00:00Z"}
    registry.put_manifest({**manifest, "annotations": annotations}, OCI_MANIFEST, at="app:1")
    assert [row.created for row in rows(registry)] == [datetime(2026, 2, 3, tzinfo=UTC)]


def test_the_parts_of_a_build_cache_are_counted_and_not_asked_for(registry: FakeRegistry) -> None:
    layers = [child(f"sha256:{number:064}", media_type=LAYER) for number in (1, 2)]
    config = child(f"sha256:{3:064}", media_type=CACHE)
    registry.put_index([*layers, config], at="app:cache")
    (row,) = rows(registry)
    assert (row.size, row.platforms, row.error) == (300, (), None)
    assert row.artifact == Artifact("build cache", CACHE)
    assert not [path for path in registry.requests if "sha256:" in path]


def test_an_index_of_artifacts_is_what_they_are(registry: FakeRegistry) -> None:
    # Signatures are found by such an index where a registry has no API for it.
    bundle, sbom = put_artifact(registry, BUNDLE), put_artifact(registry, "application/spdx+json")
    image = registry.put_image()
    lost = {**child(f"sha256:{'0' * 64}"), "artifactType": BUNDLE}
    registry.put_index([child(bundle)], at="app:1")
    registry.put_index([child(bundle), child(sbom)], at="app:2")
    registry.put_index([lost], at="app:3")
    registry.put_index([child(image), child(bundle)], at="app:4")
    assert [row.artifact for row in rows(registry)] == [
        Artifact("Sigstore bundle", BUNDLE),
        Artifact("Sigstore bundle, SBOM", None),
        Artifact("Sigstore bundle", BUNDLE),
        None,
    ]


def test_a_layer_that_the_registry_does_not_store_does_not_count(registry: FakeRegistry) -> None:
    digest = registry.put_image(platform="windows/amd64", layers=[b"x" * 100])
    manifest = json.loads(registry.manifests[digest][1])
    foreign = {
        "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "digest": ZEROS,
        "size": 10**9,
        "urls": ["https://mcr.example.com/layer"],
    }
    manifest["layers"].insert(0, foreign)
    registry.put_manifest(manifest, DOCKER_MANIFEST, at="app:1")
    (row,) = rows(registry)
    assert row.size == 100 + manifest["config"]["size"]


def test_windows_images_show_their_release(registry: FakeRegistry) -> None:
    config, size = registry.put_blob(b'{"os": "windows", "architecture": "amd64", "os.version": "10.0.17763.1"}')
    manifest = {"schemaVersion": 2, "config": {"mediaType": CONFIG, "digest": config, "size": size}, "layers": []}
    old = registry.put_manifest(manifest, OCI_MANIFEST, at="app:1")
    new = child(registry.put_image(platform="windows/amd64"), "windows/amd64")
    new["platform"]["os.version"] = "10.0.20348.2"
    registry.put_index([child(old), new], at="app:2")
    one, both = rows(registry)
    assert one.platforms == ("windows(10.0.17763.1)/amd64",)
    assert both.platforms == ("windows(10.0.17763.1)/amd64", "windows(10.0.20348.2)/amd64")


def test_names_alone_need_no_manifest(registry: FakeRegistry) -> None:
    registry.put_image("app:1")
    registry.put_image("team/api:dev")
    with RegistryClient(registry.base_url) as client:
        found = list_images(client, ["*:1", "gone"], names_only=True)
    assert found == Listing((ListedImage("app", "1"),), missing=("gone",))
    assert not [path for path in registry.requests if "/manifests/" in path or "/blobs/" in path]


ZEROS = f"sha256:{'0' * 64}"


@pytest.mark.parametrize(
    "manifest",
    [
        {},
        {"schemaVersion": 1},
        {"config": 7},
        {"manifests": [1]},
        {"mediaType": OCI_INDEX, "manifests": [{"digest": ZEROS, "annotations": 7}]},
        {"mediaType": OCI_INDEX, "manifests": [{"digest": "../../../_catalog"}]},
        {"config": {"digest": ZEROS, "size": math.inf}},
        {"config": {"digest": ZEROS}, "layers": [{"digest": "sha256:0"}]},
    ],
)
def test_a_tag_that_cannot_be_read_is_marked_and_the_rest_shows(
    registry: FakeRegistry, manifest: dict[str, object]
) -> None:
    registry.put_manifest(manifest, OCI_MANIFEST, at="app:bad")
    registry.put_image("app:good")
    bad, good = rows(registry)
    assert bad.error is not None
    assert bad.digest is not None
    assert good.error is None


@pytest.mark.parametrize("fault", ["500", "html", "wrong", "cut", "nested", "loop", "404"])
def test_a_tag_that_the_registry_cannot_give_is_marked(registry: FakeRegistry, fault: str) -> None:
    registry.put_image("app:bad")
    registry.put_image("app:good")
    registry.faults["/v2/app/manifests/bad"] = fault
    bad, good = rows(registry)
    assert bad.error is not None
    assert good.error is None


def test_a_layer_without_bytes_marks_its_tag(registry: FakeRegistry) -> None:
    registry.put_image("app:broken", layers=[b"whole", b""])
    registry.put_image("app:whole")
    errors = {row.tag: row.error for row in rows(registry)}
    assert errors["whole"] is None
    assert "empty" in str(errors["broken"])


def test_a_config_that_breaks_off_marks_its_tag_alone(registry: FakeRegistry) -> None:
    # What Distribution does with a blob that garbage collection took while its size was still cached.
    digest = registry.put_image("app:bad")
    registry.put_image("app:good", platform="linux/arm64")
    config = json.loads(registry.manifests[digest][1])["config"]["digest"]
    registry.faults[f"/v2/app/blobs/{config}"] = "cut"
    bad, good = rows(registry)
    assert bad.digest == digest
    assert config in str(bad.error)
    assert good.error is None


@pytest.mark.parametrize(
    ("config", "platforms", "created"),
    [
        (b"no JSON", (), None),
        (b"[" * 100_000, (), None),
        (b'{"os": "linux", "architecture": "arm64", "variant": 8}', ("linux/arm64/8",), None),
        (b'{"os": "linux", "architecture": "arm", "variant": ["v7"]}', ("linux/arm/['v7']",), None),
        (b'{"os": "linux", "architecture": "arm64", "created": 7}', ("linux/arm64",), None),
        (b'{"os": "linux", "architecture": "arm64", "created": "0001-01-01T00:00:00Z"}', ("linux/arm64",), None),
        (b'{"os": "linux", "architecture": "arm64", "created": "9999-12-31T23:59:59-01:00"}', ("linux/arm64",), None),
        (
            b'{"os": "linux", "architecture": "arm64", "created": "2026-01-01T01:00:00.123456789+01:00"}',
            ("linux/arm64",),
            datetime(2026, 1, 1, 0, 0, 0, 123456, tzinfo=UTC),
        ),
    ],
)
def test_any_config_is_read(
    registry: FakeRegistry, config: bytes, platforms: tuple[str, ...], created: datetime | None
) -> None:
    digest, size = registry.put_blob(config)
    manifest = {"schemaVersion": 2, "config": {"mediaType": CONFIG, "digest": digest, "size": size}, "layers": []}
    registry.put_manifest(manifest, OCI_MANIFEST, at="app:1")
    (row,) = rows(registry)
    assert (row.error, row.size) == (None, size)
    assert (row.platforms, row.created) == (platforms, created)


def test_emptied_repositories_are_hidden(registry: FakeRegistry) -> None:
    registry.tags["empty"] = None
    registry.put_image("app:1")
    assert [row.repository for row in rows(registry)] == ["app"]


def test_more_than_a_thousand_repositories(registry: FakeRegistry) -> None:
    digest = registry.put_image()
    registry.tags = {f"app-{number:04}": {"1": digest} for number in range(1234)}
    assert len(rows(registry)) == 1234


@pytest.mark.parametrize(
    ("patterns", "found"),
    [
        (["app"], ["app:1", "app:2"]),
        (["app:2"], ["app:2"]),
        (["team/*"], ["team/api:1", "team/api:dev"]),
        (["*:1"], ["app:1", "team/api:1"]),
        (["team/api:d*", "app:1"], ["app:1", "team/api:dev"]),
        (["localhost:5000/app:1"], ["app:1"]),
        (["[::1]:5000/app:1"], ["app:1"]),
        (["docker.io/library/app:1"], ["app:1"]),
        (["*/api:dev"], ["team/api:dev"]),
        (["127.0.0.1:5000/team/*:1"], ["team/api:1"]),
        (["nothing*"], []),
    ],
)
def test_patterns_choose(registry: FakeRegistry, patterns: list[str], found: list[str]) -> None:
    for name in ("app:1", "app:2", "team/api:1", "team/api:dev"):
        registry.put_image(name)
    assert [f"{row.repository}:{row.tag}" for row in rows(registry, *patterns)] == found


def test_a_name_that_nothing_fits_is_missing_and_the_others_are_found(registry: FakeRegistry) -> None:
    registry.put_image("app:1")
    found = listing(registry, "nosuch", "app:1", "app:2", "other*")
    assert [row.repository for row in found.rows] == ["app"]
    assert found.missing == ("nosuch", "app:2")
    assert listing(registry, "nosuch", "app").missing == ("nosuch",)
    assert listing(registry, "other*").missing == ()


def test_what_is_named_is_not_looked_for_in_the_catalog(registry: FakeRegistry) -> None:
    registry.put_image("app:1")
    assert len(rows(registry, "app")) == 1
    assert registry.requests["/v2/_catalog"] == 0


@pytest.mark.parametrize("pattern", ["", "Team/API", "app:", "app//x", f"app@{ZEROS}"])
def test_a_name_that_is_none_is_a_usage_error(registry: FakeRegistry, pattern: str) -> None:
    with pytest.raises(InvalidReferenceError):
        rows(registry, pattern)
    assert not registry.requests


def test_a_registry_that_cannot_be_asked_is_an_error(registry: FakeRegistry) -> None:
    registry.faults["/v2/_catalog"] = "500"
    with pytest.raises(RegistryError):
        rows(registry)


def test_a_registry_that_goes_away_ends_the_listing(registry: FakeRegistry) -> None:
    registry.put_image("app:1")
    registry.faults["/v2/app/manifests/1"] = "gone"
    with pytest.raises(RegistryUnreachableError):
        rows(registry)
