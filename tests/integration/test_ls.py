"""`ls` on a real Distribution 2.8.3."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from support.engines.real import Distribution
from support.registries.writer import LAYER, OCI_CONFIG, Writer

from localreg.content.listed import ListedImage
from localreg.content.ls import list_images
from localreg.content.untagged import list_untagged
from localreg.errors import LocalregError, RegistryError, RepositoryNotFoundError
from localreg.oci.api import RegistryClient
from localreg.oci.manifest import DOCKER_INDEX, EMPTY_CONFIG_TYPE, OCI_INDEX, OCI_MANIFEST
from localreg.registry.volume import WritableVolume
from localreg.registry.volume_folder import FolderVolume
from localreg.registry.volume_shell import ExecVolume


def linux(architecture: str) -> dict[str, str]:
    return {"os": "linux", "architecture": architecture}


@pytest.fixture
def writer(distribution: Distribution) -> Writer:
    return Writer(distribution.base_url)


def run_here(command: Sequence[str]) -> Iterator[bytes]:
    yield subprocess.run(command, capture_output=True, check=True).stdout


def volumes(distribution: Distribution) -> tuple[WritableVolume, ...]:
    """The two ways to read its data."""
    return FolderVolume(distribution.root), ExecVolume(run_here, str(distribution.root))


def rows(distribution: Distribution, *patterns: str) -> tuple[ListedImage, ...]:
    """What the registry answers, which is what its volume says."""
    with RegistryClient(distribution.base_url) as client:
        found = list_images(client, patterns).rows
        for volume in volumes(distribution):
            stored = list_images(client, patterns, volume=volume).rows
            assert tuple(replace(row, pushed=None) for row in stored) == found
    return found


@pytest.mark.parametrize("docker", [True, False])
def test_an_image_and_an_index(distribution: Distribution, writer: Writer, *, docker: bool) -> None:
    single = writer.image("team/app", "single", docker=docker)
    children = [
        {
            **writer.image("team/app", architecture=name, docker=docker),
            "platform": {"os": "linux", "architecture": name},
        }
        for name in ("amd64", "arm64")
    ]
    note = {**writer.image("team/app", docker=docker), "platform": {"os": "unknown", "architecture": "unknown"}}
    index = {
        "schemaVersion": 2,
        "mediaType": DOCKER_INDEX if docker else OCI_INDEX,
        "manifests": [*children, note],
    }
    writer.manifest("team/app", "many", index)
    many, one = rows(distribution)
    assert (one.tag, one.digest, one.platforms) == ("single", single["digest"], ("linux/amd64",))
    assert (many.tag, many.media_type, many.platforms) == (
        "many",
        index["mediaType"],
        ("linux/amd64", "linux/arm64"),
    )
    assert one.size is not None
    assert many.size is not None
    # The layer is shared: the second platform adds its config alone.
    assert one.size < many.size < 2 * one.size


def test_artifacts_a_build_cache_and_a_windows_image(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    # By default, this registry takes no manifest with a foreign layer.
    monkeypatch.setenv("REGISTRY_VALIDATION_DISABLED", "true")
    distribution: Distribution = request.getfixturevalue("distribution")
    writer = Writer(distribution.base_url)
    empty = writer.blob("app", b"{}", EMPTY_CONFIG_TYPE)
    chart = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": "application/vnd.cncf.helm.config.v1+json",
        "config": empty,
        "layers": [writer.blob("app", b"content", "application/octet-stream")],
        "annotations": {"org.opencontainers.image.created": "2026-02-03T04:05:06Z"},
    }
    writer.manifest("app", "chart", chart)
    parts = [
        writer.blob("app", b"layer" * 100, LAYER),
        writer.blob("app", b'{"layers": []}', "application/vnd.buildkit.cacheconfig.v0"),
    ]
    writer.manifest("app", "cache", {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": parts})
    foreign = {
        "mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "digest": f"sha256:{'0' * 64}",
        "size": 10**9,
        "urls": ["https://mcr.example.com/layer"],
    }
    config = json.dumps({"os": "windows", "architecture": "amd64", "os.version": "10.0.20348.1"}).encode()
    windows = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": writer.blob("app", config, OCI_CONFIG),
        "layers": [foreign],
    }
    writer.manifest("app", "windows", windows)
    found = {row.tag: row for row in rows(distribution)}
    assert {tag: (row.size, row.platforms, row.error) for tag, row in found.items()} == {
        "chart": (9, (), None),
        "cache": (514, (), None),
        "windows": (len(config), ("windows(10.0.20348.1)/amd64",), None),
    }
    assert [str(found[tag].artifact) for tag in ("chart", "cache", "windows")] == ["Helm chart", "build cache", "None"]
    assert found["chart"].created == datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)


def test_more_than_a_thousand_repositories(distribution: Distribution, writer: Writer) -> None:
    writer.image("seed", "1")
    repositories = distribution.root / "docker/registry/v2/repositories"
    for number in range(1100):
        (repositories / f"app-{number:04}").symlink_to(repositories / "seed")
    found = rows(distribution)
    assert len(found) == 1101
    assert all(row.error is None for row in found)


def test_an_emptied_repository_is_hidden(distribution: Distribution, writer: Writer) -> None:
    gone = writer.image("gone", "1")
    writer.delete("gone", str(gone["digest"]))
    writer.image("app", "1")
    assert [row.repository for row in rows(distribution)] == ["app"]


def test_a_tag_whose_manifest_is_lost_is_marked_and_the_rest_shows(distribution: Distribution, writer: Writer) -> None:
    lost = writer.image("app", "lost", architecture="arm64")
    writer.image("app", "whole")
    digest = str(lost["digest"]).removeprefix("sha256:")
    (distribution.root / "docker/registry/v2/blobs/sha256" / digest[:2] / digest / "data").unlink()
    bad, good = rows(distribution)
    assert (bad.tag, good.tag) == ("lost", "whole")
    assert bad.error is not None
    assert good.error is None


def test_an_index_whose_child_is_lost_says_what_it_knows(distribution: Distribution, writer: Writer) -> None:
    children = [{**writer.image("app", architecture=name), "platform": linux(name)} for name in ("amd64", "arm64")]
    writer.manifest("app", "1", {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children})
    writer.delete("app", children[1]["digest"])
    (row,) = rows(distribution)
    assert (row.platforms, row.error) == (("linux/amd64", "linux/arm64"), None)


@pytest.mark.parametrize("cached", [False, True])
def test_a_tag_whose_config_is_lost_is_marked_and_the_rest_shows(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, *, cached: bool
) -> None:
    if cached:
        # As in the official image: a blob that is gone is announced with its length, and no byte follows.
        monkeypatch.setenv("REGISTRY_STORAGE_CACHE_BLOBDESCRIPTOR", "inmemory")
    distribution: Distribution = request.getfixturevalue("distribution")
    writer = Writer(distribution.base_url)
    writer.image("app", "lost", architecture="arm64")
    writer.image("app", "whole")
    blobs = distribution.root / "docker/registry/v2/blobs/sha256"
    (config,) = (path for path in blobs.rglob("data") if path.stat().st_size < 200 and b"arm64" in path.read_bytes())
    digest = f"sha256:{config.parent.name}"
    config.unlink()
    bad, good = rows(distribution)
    assert (bad.tag, good.tag) == ("lost", "whole")
    assert digest in str(bad.error)
    assert good.error is None
    with RegistryClient(distribution.base_url) as client, pytest.raises(LocalregError) as caught:
        client.get_blob("app", digest)
    assert type(caught.value) is (RegistryError if cached else RepositoryNotFoundError)


def test_a_manifest_without_a_tag_is_listed_and_the_children_of_an_index_are_not(
    distribution: Distribution, writer: Writer
) -> None:
    writer.image("app", "1")
    overwritten = list_one(distribution, "app:1")
    children = [{**writer.image("app", architecture=name), "platform": linux(name)} for name in ("arm64", "s390x")]
    writer.manifest("app", "1", {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children})
    began = datetime.now(UTC) - timedelta(minutes=1)
    for volume in volumes(distribution):
        with RegistryClient(distribution.base_url) as client:
            (row,) = list_untagged(client, volume, ()).rows
        assert replace(row, pushed=None) == replace(overwritten, tag=None)
        assert row.pushed is not None
        assert row.pushed > began


def list_one(distribution: Distribution, pattern: str) -> ListedImage:
    (row,) = rows(distribution, pattern)
    return row
