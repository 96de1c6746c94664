"""Graphs as registries and archives really have them, and what is broken in them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from support.registries.fake import LAYER, FakeRegistry, child
from support.registries.layout_folder import LayoutFolder
from support.registries.shelf import BASE, InFake, Shelf

from localreg.errors import InvalidArchiveError, LocalregError, RegistryError
from localreg.oci.api import RegistryClient
from localreg.oci.manifest import EMPTY_CONFIG, EMPTY_CONFIG_TYPE, OCI_INDEX, OCI_MANIFEST
from localreg.places.content import Failed, read_content
from localreg.places.layout.entries import find_entries
from localreg.places.layout.source import LayoutSource
from localreg.places.opened import opened_source
from localreg.places.port import Content, Wanted
from localreg.places.registry import RegistryPlace


@pytest.fixture
def layout(tmp_path: Path) -> LayoutFolder:
    return LayoutFolder(tmp_path / "layout")


def read(layout: LayoutFolder) -> tuple[Content, Failed]:
    with opened_source(layout.path) as source:
        return read_content(source, find_entries(source, str(layout.path)))


def whole(layout: LayoutFolder) -> Content:
    content, failed = read(layout)
    assert failed == []
    return content


def read_registry(registry: FakeRegistry, *names: str) -> tuple[Content, Failed]:
    with RegistryClient(registry.base_url) as client:
        wanted = [Wanted(*name.split(":"), *name.split(":")) for name in names]
        return read_content(RegistryPlace(client), wanted)


def index(layout: LayoutFolder, tag: str, children: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return layout.manifest("app", tag, {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children})


def test_what_others_refer_to_comes_first_and_configs_come_before_layers(layout: LayoutFolder) -> None:
    shelf = Shelf(layout, "app")
    shelf.index("1", "latest")
    shelf.image("2")
    content = whole(layout)
    places = {digest: place for place, digest in enumerate(content.manifests)}
    for digest in content.manifests:
        assert all(places[below] <= places[digest] for below in content.below(digest))
    configs = [blob.is_config for blob in content.blobs.values()]
    assert configs == sorted(configs, reverse=True)
    assert {str(name) for name in content.names} == {"app:1", "app:latest", "app:2"}
    # Attestations have the same empty config.
    assert content.configs.keys() == {blob.digest for blob in content.blobs.values() if blob.is_config}


def test_an_index_in_an_index_that_lists_a_child_twice(layout: LayoutFolder) -> None:
    image = Shelf(layout, "app").image()
    inner = index(layout, "", [image, image])
    outer = index(layout, "1", [inner, image, inner])
    content = whole(layout)
    assert list(content.manifests) == [image["digest"], inner["digest"], outer["digest"]]
    assert content.below(outer["digest"]) == content.manifests.keys()


def test_indexes_that_list_one_another_twice_on_many_levels_are_read_once(layout: LayoutFolder) -> None:
    below = Shelf(layout, "app").image()
    for level in range(60):
        below = index(layout, "deep" if level == 59 else "", [below, {**below, "annotations": {"again": "yes"}}])
    content = whole(layout)
    assert len(content.below(below["digest"])) == 61


def test_indexes_on_too_many_levels_are_damage(layout: LayoutFolder) -> None:
    below = Shelf(layout, "app").image("1")
    for level in range(1500):
        below = index(layout, "deep" if level == 1499 else "", [below])
    content, failed = read(layout)
    assert [str(name) for name in content.names] == ["app:1"]
    ((_, error),) = failed
    assert "`app:deep`" in error.message
    assert "more than 100 levels" in error.message


def test_an_index_of_layers(layout: LayoutFolder) -> None:
    """As BuildKit stores its cache."""
    layer = layout.blob("app", b"layer", LAYER)
    config = layout.blob("app", b"{}", "application/vnd.buildkit.cacheconfig.v0")
    index(layout, "cache", [layer, config])
    content = whole(layout)
    assert content.blobs.keys() == {layer["digest"], config["digest"]}


def test_layers_that_are_elsewhere_named_by_sha512_or_also_the_config(layout: LayoutFolder) -> None:
    foreign = {
        "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "digest": f"sha256:{'0' * 64}",
        "size": 5,
        "urls": ["https://example.com/layer"],
    }
    empty = layout.blob("app", EMPTY_CONFIG, EMPTY_CONFIG_TYPE)
    layer = layout.blob("app", b"layer", LAYER, algorithm="sha512")
    layout.manifest(
        "app",
        "1",
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": empty,
            "layers": [empty, foreign, layer],
            "subject": child(f"sha256:{'1' * 64}"),
        },
    )
    content = whole(layout)
    assert [(blob.digest, blob.is_config) for blob in content.blobs.values()] == [
        (empty["digest"], True),
        (layer["digest"], False),
    ]


def test_a_tag_about_a_manifest_whose_index_names_that_manifest(registry: FakeRegistry) -> None:
    image = registry.put_image("app:1")
    other = registry.put_image("app:2", layers=[b"other"])
    around = registry.put_index([child(image), child(other)])
    stem = image.replace(":", "-")
    cycle = registry.put_index([child(image), child(around, media_type=OCI_INDEX)], at=f"app:{stem}")
    content, failed = read_registry(registry, "app:1")
    assert failed == []
    assert [str(name) for name in content.names] == ["app:1", f"app:{stem}"]
    assert list(content.manifests) == [image, other, around, cycle]


def test_the_tags_of_a_repository_are_listed_for_all_its_images_together(registry: FakeRegistry) -> None:
    names = [f"app:{number}" for number in range(100)]
    for name in names:
        digest = registry.put_image(name, layers=[name.encode()])
        registry.put_image(f"app:{digest.replace(':', '-')}.sig", layers=[b"signature of %s" % name.encode()])
    content, failed = read_registry(registry, *names)
    assert failed == []
    assert len(content.names) == 200
    assert registry.requests["/v2/app/tags/list"] <= 16


def the_error(failed: Failed, name: str) -> LocalregError:
    ((wanted, error),) = failed
    assert str(wanted) == name
    assert f"`{name}`" in error.message
    return error


def test_an_image_without_one_of_its_layers_fails_alone(layout: LayoutFolder) -> None:
    shelf = Shelf(layout, "app")
    shelf.image("1", layers=[b"there"])
    shelf.image("2", layers=[b"there", b"gone"])
    digest = layout.blob("app", b"gone", LAYER)["digest"]
    layout.file(digest).unlink()
    content, failed = read(layout)
    assert [str(name) for name in content.names] == ["app:1"]
    error = the_error(failed, "app:2")
    assert isinstance(error, InvalidArchiveError)
    assert f"blob {digest} is missing" in error.message
    assert error.hint is not None
    assert digest not in content.blobs


@pytest.mark.parametrize("data", [b"sma", b"too large"])
def test_a_layer_of_another_size(layout: LayoutFolder, data: bytes) -> None:
    Shelf(layout, "app").image("1", layers=[b"small"])
    digest = layout.blob("app", b"small", LAYER)["digest"]
    layout.file(digest).write_bytes(data)
    content, failed = read(layout)
    assert content.names == []
    assert f"blob {digest} has {len(data)} bytes instead of 5" in the_error(failed, "app:1").message


def test_a_config_with_a_changed_byte(layout: LayoutFolder) -> None:
    Shelf(layout, "app").image("1")
    config = next(blob.digest for blob in whole(layout).blobs.values() if blob.is_config)
    layout.file(config).write_bytes(layout.file(config).read_bytes().replace(b"linux", b"minix"))
    assert f"blob {config} has other content" in the_error(read(layout)[1], "app:1").message


def test_a_child_that_is_missing_or_is_not_a_manifest(layout: LayoutFolder) -> None:
    Shelf(layout, "app").image("1")
    gone = Shelf(layout, "app").image(layers=[b"gone"])
    index(layout, "gone", [gone])
    layout.file(gone["digest"]).unlink()
    index(layout, "other", [layout.blob("app", b'{"config": 1}', OCI_MANIFEST)])
    content, failed = read(layout)
    assert [str(name) for name in content.names] == ["app:1"]
    assert [str(wanted) for wanted, _ in failed] == ["app:gone", "app:other"]
    for wanted, error in failed:
        assert f"`{wanted}`" in error.message
    assert gone["digest"].removeprefix("sha256:") in failed[0][1].message


def test_a_broken_signature_fails_without_its_image(registry: FakeRegistry) -> None:
    image = registry.put_image("app:1")
    signature = f"app:{image.replace(':', '-')}.sig"
    registry.put_image(signature, layers=[b"signature"])
    digest, _ = registry.put_blob(b"signature")
    del registry.blobs[digest]
    content, failed = read_registry(registry, "app:1")
    assert [str(name) for name in content.names] == ["app:1"]
    error = the_error(failed, signature)
    assert isinstance(error, RegistryError)
    assert "in the registry" in error.message
    # It is told once, also if it was asked for by its own name.
    assert len(read_registry(registry, "app:1", signature)[1]) == 1


def test_a_blob_that_only_another_repository_has_whole(registry: FakeRegistry) -> None:
    image = registry.put_image("app:1")
    registry.tags["other"] = {"1": image}
    (layer,) = (found["digest"] for found in json.loads(registry.manifests[image][1])["layers"])
    registry.faults[f"/v2/app/blobs/{layer}"] = "absent"
    content, failed = read_registry(registry, "app:1", "other:1")
    assert failed == []
    assert content.blobs[layer].origin == "other"


def test_a_config_that_breaks_off_does_not_end_the_reading(
    registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A registry with a cache of blobs tells their sizes when they are gone, and then hangs up."""
    monkeypatch.setattr("localreg.oci.blobs._PAUSES", (0.0,) * 3)
    registry.put_image("app:1")
    broken = registry.put_image("app:2", platform="linux/arm64")
    config = json.loads(registry.manifests[broken][1])["config"]["digest"]
    registry.faults[f"/v2/app/blobs/{config}"] = "cut"
    content, failed = read_registry(registry, "app:1", "app:2")
    assert [str(name) for name in content.names] == ["app:1"]
    assert f"blob {config} breaks off" in the_error(failed, "app:2").message


def test_the_base_layer_of_all_is_one_blob(layout: LayoutFolder) -> None:
    shelf = Shelf(layout, "app")
    for tag in ("1", "2"):
        shelf.image(tag, architecture=tag)
    sizes = [blob.size for blob in whole(layout).blobs.values()]
    assert sizes.count(len(BASE)) == 1


def test_what_is_about_an_image_follows_it_by_its_digest(layout: LayoutFolder) -> None:
    """As oras saves it: entries of the index without a name."""
    shelf = Shelf(layout, "app")
    image = shelf.image("1")
    sbom = shelf.sbom(image, listed=False)
    entries = json.loads((layout.path / "index.json").read_text())
    entries["manifests"].append(sbom)
    (layout.path / "index.json").write_text(json.dumps(entries))
    content = whole(layout)
    assert [str(name) for name in content.names] == ["app:1"]
    assert content.members == {"app": [image["digest"], sbom["digest"]]}


def test_a_fake_registry_and_a_layout_read_the_same(registry: FakeRegistry, layout: LayoutFolder) -> None:
    for target in (InFake(registry), layout):
        Shelf(target, "app").index("1")
    content, _ = read_registry(registry, "app:1")
    assert content.manifests.keys() == whole(layout).manifests.keys()
    assert content.blobs.keys() == whole(layout).blobs.keys()


def test_the_source_is_a_layout(layout: LayoutFolder) -> None:
    with opened_source(layout.path) as source:
        assert isinstance(source, LayoutSource)
        assert str(layout.path) in source.damage("it is cut").message
