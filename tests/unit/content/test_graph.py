"""The graph of a registry's content, read from its volume and over HTTP."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from support.registries.tree import Tree

from localreg.content.graph import Graph, GraphReader
from localreg.oci.manifest import OCI_INDEX
from localreg.registry.volume_folder import FolderVolume


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def graph_of(tree: Tree) -> Graph:
    return GraphReader(FolderVolume(tree.folder)).read()


def test_a_manifest_keeps_its_config_and_layers(tree: Tree) -> None:
    image = tree.image("app", layers=[b"1", b"2"])
    tree.tag("app", "1", image)
    other = tree.blob(b"nothing refers to it")
    graph = graph_of(tree)
    assert graph.keeps("app", image) == {image, *map(tree.digest, (b"1", b"2")), tree.digest(b"{}")}
    assert graph.sizes[other] == len(b"nothing refers to it")
    assert graph.tagged() == {"app": {image}}


def test_an_index_keeps_its_children_and_a_subject_its_referrers(tree: Tree) -> None:
    child, inner = tree.image("app", layers=[b"1"]), tree.image("app", layers=[b"2"])
    nested = tree.index("app", [inner])
    index = tree.index("app", [child, nested])
    signature = tree.image("app", layers=[b"3"], subject=inner)
    of_signature = tree.image("app", layers=[b"4"], subject=signature)
    elsewhere = tree.image("other", layers=[b"5"], subject=inner)
    tree.tag("app", "1", index)
    graph = graph_of(tree)
    assert graph.tagged() == {"app": {index, nested, child, inner, signature, of_signature}}
    assert elsewhere not in graph.keeps("app", index)
    assert tree.digest(b"4") in graph.keeps("app", index)


def test_layers_among_the_manifests_of_an_index_are_blobs(tree: Tree) -> None:
    layer = tree.blob(b"layer of a build cache")
    cache = tree.manifest(
        "app",
        {
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": [
                {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": layer, "size": 22},
            ],
        },
    )
    tree.tag("app", "cache", cache)
    graph = graph_of(tree)
    assert graph.keeps("app", cache) == {cache, layer}
    assert not graph.nodes[cache].children


def test_a_layer_named_by_sha512_is_kept_under_its_sha256(tree: Tree) -> None:
    stored = tree.blob(b"layer")
    named = f"sha512:{hashlib.sha512(b'layer').hexdigest()}"
    link = tree.root / f"repositories/app/_layers/{named.replace(':', '/')}/link"
    link.parent.mkdir(parents=True)
    link.write_text(stored)
    image = tree.manifest("app", {"config": descriptor(tree, b"{}"), "layers": [{"digest": named, "size": 5}]})
    assert stored in graph_of(tree).keeps("app", image)


def test_a_manifest_that_cannot_be_parsed_keeps_every_digest_in_it(tree: Tree) -> None:
    layer = tree.blob(b"layer")
    old = tree.manifest("app", {"schemaVersion": 1, "fsLayers": [{"blobSum": layer}]})
    graph = graph_of(tree)
    assert graph.nodes[old].is_broken
    assert graph.keeps("app", old) == {old, layer}


def test_a_manifest_without_its_bytes_is_no_node(tree: Tree) -> None:
    gone = f"sha256:{'0' * 64}"
    tree.revision("app", gone)
    tree.tag("app", "1", gone)
    tree.tag("app", "empty", "")
    graph = graph_of(tree)
    assert gone not in graph.nodes
    assert graph.tagged() == {"app": {gone}}
    assert graph.keeps("app", gone) == {gone}


def test_a_second_reading_reads_only_new_manifests(tree: Tree) -> None:
    asked: list[set[str]] = []

    class Counting(FolderVolume):
        def read_blobs(self, digests: Any) -> Any:
            asked.append(set(digests))
            return super().read_blobs(asked[-1])

    reader = GraphReader(Counting(tree.folder))
    first = tree.image("app", layers=[b"1"])
    reader.read()
    second = tree.image("app", layers=[b"2"])
    assert set(reader.read().nodes) == {first, second}
    assert asked == [{first}, {second}]


def test_a_child_that_no_repository_has_is_read_and_its_content_kept(tree: Tree) -> None:
    child = tree.image("other", layers=[b"1"])
    (tree.root / f"repositories/other/_manifests/revisions/{child.replace(':', '/')}/link").unlink()
    index = tree.index("app", [child])
    assert tree.digest(b"1") in graph_of(tree).keeps("app", index)


def descriptor(tree: Tree, data: bytes) -> dict[str, Any]:
    return {"digest": tree.blob(data), "size": len(data)}
