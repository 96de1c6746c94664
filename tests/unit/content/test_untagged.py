"""`ls --untagged`, of a folder as Distribution writes it."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest
from support.registries.fake import FakeRegistry
from support.registries.tree import PUSHED, Tree

from localreg.content.filter import read_filters
from localreg.content.listed import Listing
from localreg.content.untagged import list_untagged
from localreg.errors import EngineError, InvalidReferenceError, UsageError
from localreg.oci.api import RegistryClient
from localreg.registry.volume_folder import FolderVolume
from localreg.registry.volume_layout import Links


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def listing(tree: Tree, *patterns: str, filters: Collection[str] = ()) -> Listing:
    return list_untagged(None, FolderVolume(tree.folder), patterns, filters=read_filters([*filters]))


def names(found: Listing) -> list[str]:
    return [row.name for row in found.rows]


def test_a_manifest_that_a_tag_has_left_is_listed(tree: Tree) -> None:
    old, new = tree.image("app", layers=[b"old"]), tree.image("app", layers=[b"new"])
    tree.tag("app", "1", new)
    (row,) = listing(tree).rows
    assert (row.repository, row.tag, row.digest, row.size, row.error) == ("app", None, old, 5, None)
    assert row.pushed is not None


def test_the_same_manifest_is_untagged_in_one_repository_and_not_in_another(tree: Tree) -> None:
    image = tree.image("a", layers=[b"1"])
    tree.revision("a/b", image)
    tree.tag("a", "1", image)
    assert names(listing(tree)) == [f"a/b@{image}"]


def test_children_of_an_index_and_referrers_are_those_of_their_index_and_subject(tree: Tree) -> None:
    children = [tree.image("app", layers=[data]) for data in (b"1", b"2")]
    tree.tag("app", "1", tree.index("app", children))
    tree.image("app", layers=[b"signature"], subject=children[0])
    assert names(listing(tree)) == []
    others = [tree.image("app", layers=[data]) for data in (b"3", b"4")]
    index = tree.index("app", others)
    signature = tree.image("app", layers=[b"of one child"], subject=others[0])
    assert names(listing(tree)) == [f"app@{index}"]
    tree.tag("app", "2", others[0])
    assert signature not in " ".join(names(listing(tree)))


def test_patterns_and_filters_choose(tree: Tree) -> None:
    images = {name: tree.image(name, layers=[name.encode()]) for name in ("app", "team/api", "team/web")}
    assert names(listing(tree, "team/*")) == [f"{name}@{images[name]}" for name in ("team/api", "team/web")]
    found = listing(tree, "app", "nothing")
    assert (names(found), found.missing) == ([f"app@{images['app']}"], ("nothing",))
    assert len(listing(tree, filters=[f"digest={images['app']}"]).rows) == 1
    assert len(listing(tree, filters=["since=1h"]).rows) == 3
    assert len(listing(tree, filters=["until=1h"]).rows) == 0
    with pytest.raises(UsageError, match="`app:1` has a tag"):
        listing(tree, "app:1")
    with pytest.raises(InvalidReferenceError):
        listing(tree, f"app@{images['app']}")


def test_a_repository_whose_manifests_all_have_tags_is_not_missing(tree: Tree) -> None:
    tree.tag("app", "1", tree.image("app", layers=[b"1"]))
    assert listing(tree, "app") == Listing(())


def test_a_manifest_that_cannot_be_read_is_a_row_with_its_error(tree: Tree) -> None:
    bad = tree.manifest("app", {"schemaVersion": 2})
    (row,) = listing(tree).rows
    assert (row.digest, row.error is None) == (bad, False)


def test_a_volume_that_the_registry_does_not_use_is_an_error(tree: Tree, registry: FakeRegistry) -> None:
    volume = FolderVolume(tree.folder)
    with RegistryClient(registry.base_url) as client:
        assert list_untagged(client, volume, ()) == Listing(())
        old = registry.put_image("app:1")
        registry.put_image("app:1", layers=[b"new"])
        with pytest.raises(EngineError, match="manifests without a tag"):
            list_untagged(client, volume, ())
        tree.tag("app", "1", tree.image("app", layers=[b"of another registry"]), pushed=PUSHED)
        with pytest.raises(EngineError, match="manifests without a tag"):
            list_untagged(client, volume, ())
        tree.take_over(registry)
        assert f"app@{old}" in names(list_untagged(client, volume, ()))


def test_a_registry_with_untagged_manifests_alone_is_believed(tree: Tree, registry: FakeRegistry) -> None:
    old = registry.put_image()
    registry.tags["app"] = None
    tree.take_over(registry)
    with RegistryClient(registry.base_url) as client:
        assert names(list_untagged(client, FolderVolume(tree.folder), ())) == [f"app@{old}"]


def test_without_a_volume_there_is_an_error_with_its_reason(tree: Tree) -> None:
    class Unreadable(FolderVolume):
        def read_links(self, repositories: Collection[str] | None = None) -> Links:
            raise EngineError(f"the container has no shell to read {repositories or 'all'}")

    for volume, reasons in ((None, ()), (Unreadable(tree.folder), ("the container has no shell to read all",))):
        with pytest.raises(EngineError) as caught:
            list_untagged(None, volume, ())
        assert (caught.value.details, caught.value.hint is None) == (reasons, False)
