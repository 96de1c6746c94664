"""Whether a registry serves what a volume holds."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.registries.fake import FakeRegistry
from support.registries.tree import Tree

from localreg.content.agreement import agrees
from localreg.errors import RegistryError
from localreg.oci.api import RegistryClient
from localreg.registry.volume_folder import FolderVolume


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def asked(registry: FakeRegistry, tree: Tree) -> bool:
    with RegistryClient(registry.base_url) as client:
        return agrees(client, FolderVolume(tree.folder).read_links())


def test_two_empty_ones_agree(registry: FakeRegistry, tree: Tree) -> None:
    assert asked(registry, tree)


def test_one_that_serves_what_the_volume_lacks_does_not(registry: FakeRegistry, tree: Tree) -> None:
    registry.put_image("app:1")
    assert not asked(registry, tree)


def test_one_that_lacks_what_the_volume_has_does_not(registry: FakeRegistry, tree: Tree) -> None:
    tree.tag("app", "1", tree.image("app", layers=[b"1"]))
    assert not asked(registry, tree)


def test_a_tag_that_moved_meanwhile_says_nothing_of_the_others(registry: FakeRegistry, tree: Tree) -> None:
    registry.put_image("app:1")
    tree.take_over(registry)
    tree.tag("app", "0", tree.image("app", layers=[b"1"]))
    registry.put_image("app:0")
    assert asked(registry, tree)


def test_one_whose_tags_are_all_broken_agrees_if_the_volume_has_them(registry: FakeRegistry, tree: Tree) -> None:
    tree.tag("app", "1", tree.image("app", layers=[b"1"]))
    registry.put_image("app:1")
    registry.faults["/v2/app/manifests/1"] = "500"
    assert asked(registry, tree)
    registry.put_image("other:1")
    assert not asked(registry, tree)


def test_one_agrees_by_its_manifests_if_pushes_of_all_tags_were_killed(registry: FakeRegistry, tree: Tree) -> None:
    registry.put_image("app:1")
    tree.take_over(registry)
    tree.tag("app", "1", "")
    registry.faults["/v2/app/manifests/1"] = "500"
    # The registry also lists a tag whose folder has no link.
    registry.put_image("app:2")
    registry.faults["/v2/app/manifests/2"] = "absent"
    assert asked(registry, tree)


def test_one_that_lets_nobody_in_cannot_be_asked(registry: FakeRegistry, tree: Tree) -> None:
    registry.faults["/v2/_catalog"] = "401"
    with pytest.raises(RegistryError):
        asked(registry, tree)
