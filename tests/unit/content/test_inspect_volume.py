"""`inspect` of a registry whose volume can be read: what HTTP does not tell, and one that HTTP does not reach."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.registries.fake import FakeRegistry
from support.registries.shelf import InFake, InTree, Shelf
from support.registries.tree import PUSHED, Tree
from unit.content.test_inspect import inspected, registry_at

from localreg.content.inspect import Inspector
from localreg.errors import EngineError, RegistryError, RepositoryNotFoundError
from localreg.oci.api import RegistryClient
from localreg.registry.container import SCHEMA, SCHEMA_LABEL, Registry
from localreg.registry.volume_folder import FolderVolume
from localreg.registry.volume_layout import Links, VolumeFile

NOWHERE = "http://127.0.0.1:1"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


@pytest.fixture
def shelf(tree: Tree) -> Shelf:
    return Shelf(InTree(tree), "team/api")


def ours(base_url: str) -> Registry:
    found = registry_at(base_url)
    return Registry(replace(found.container, labels={SCHEMA_LABEL: SCHEMA}))


def by_volume(tree: Tree) -> Inspector:
    return Inspector(ours(NOWHERE), None, FolderVolume(tree.folder))


def test_a_registry_out_of_reach_is_read_from_its_volume(tree: Tree, shelf: Shelf, registry: FakeRegistry) -> None:
    index = shelf.index("1", "latest")
    shelf.signature(index["digest"])
    shelf.sbom(index, listed=True)
    Shelf(InFake(registry), "team/api").index("1", "latest")
    found = inspected(by_volume(tree), "team/api:1")
    assert (found.pushed, found.same_as) == (PUSHED, ("team/api:latest",))
    assert [str(one.artifact) for one in found.referrers] == ["SBOM", "signature"]
    with RegistryClient(registry.base_url) as client:
        served = inspected(Inspector(registry_at(registry.base_url), client, None), "team/api:1")
    # The same but for what only the volume tells.
    assert (found.manifests, found.attestations) == (served.manifests, served.attestations)
    chosen = inspected(by_volume(tree), "team/api:1", "linux/arm64")
    assert chosen.platforms == ("linux/arm64",)


def test_the_push_of_a_digest_is_that_of_its_own_link(tree: Tree, shelf: Shelf) -> None:
    index = str(shelf.index("1")["digest"])
    link = tree.root / f"repositories/team/api/_manifests/revisions/sha256/{index[7:]}/link"
    os.utime(link, (86400, 86400))
    for name in (f"team/api@{index}", f"team/api:1@{index[7:19]}"):
        assert inspected(by_volume(tree), name).pushed == datetime(1970, 1, 2, tzinfo=UTC)
    assert inspected(by_volume(tree), f"team/api@{index}", "linux/arm64").pushed == datetime(1970, 1, 2, tzinfo=UTC)
    assert inspected(by_volume(tree), "team/api:1").pushed == PUSHED


def test_a_manifest_that_no_tag_leads_to_is_found_by_its_subject(tree: Tree, shelf: Shelf) -> None:
    index = shelf.index("1")
    sbom = shelf.sbom(index, listed=False)
    (found,) = inspected(by_volume(tree), "team/api:1").referrers
    assert (found.digest, found.tag, str(found.artifact)) == (sbom["digest"], None, "SBOM")


def test_the_config_of_an_artifact(tree: Tree) -> None:
    Shelf(InTree(tree), "chart").chart("1")
    inspector = by_volume(tree)
    assert inspector.read_config(inspector.find("chart:1")) == b'{"name": "app"}'


def test_layers_that_a_full_disk_lost_or_cut_are_problems(tree: Tree, shelf: Shelf) -> None:
    lost, cut = b"lost" * 100, b"cut" * 100
    shelf.image("1", layers=[b"whole", lost, cut])
    for data, left in ((lost, None), (cut, b"cut")):
        encoded = tree.digest(data).removeprefix("sha256:")
        path = tree.root / f"blobs/sha256/{encoded[:2]}/{encoded}/data"
        path.unlink() if left is None else path.write_bytes(left)
    found = inspected(by_volume(tree), "team/api:1").only
    assert found is not None
    assert found.problems == (
        f"layer {tree.digest(lost)} is missing",
        f"layer {tree.digest(cut)} has 3 bytes instead of 300",
    )


def test_a_volume_of_another_registry_is_not_believed(tree: Tree, shelf: Shelf, registry: FakeRegistry) -> None:
    shelf.image("1", layers=[b"something else"])
    Shelf(InFake(registry), "team/api").image("1")
    with RegistryClient(registry.base_url) as client:
        inspector = Inspector(ours(registry.base_url), client, FolderVolume(tree.folder))
        found = inspected(inspector, "team/api:1")
        by_digest = inspected(inspector, f"team/api@{found.found.stored.digest}")
    assert found.pushed is None
    assert found.same_as == ()
    assert found.only is not None
    assert found.only.problems == ()
    assert by_digest.same_as == ("team/api:1",)


def test_what_the_volume_of_a_cache_lacks_is_not_a_problem(tree: Tree, shelf: Shelf, registry: FakeRegistry) -> None:
    shelf.image("1")
    Shelf(InFake(registry), "team/api").image("1")
    (tree.root / "blobs/sha256").rename(tree.root / "blobs/gone")
    (tree.root / "blobs/sha256").mkdir()
    with RegistryClient(registry.base_url) as client:
        for of, damaged in ((registry_at, False), (ours, True)):
            inspector = Inspector(of(registry.base_url), client, FolderVolume(tree.folder))
            found = inspected(inspector, "team/api:1")
            assert found.pushed == PUSHED
            assert found.only is not None
            assert bool(found.only.problems) is damaged


class WithoutSizes(FolderVolume):
    def list_files(self, *paths: str, skip: Collection[str] = ()) -> Iterator[VolumeFile]:
        raise EngineError(f"there is no shell for {paths}, {skip}")


def test_a_volume_that_breaks_off_tells_of_no_problems(tree: Tree, shelf: Shelf) -> None:
    shelf.image("1")
    found = inspected(Inspector(ours(NOWHERE), None, WithoutSizes(tree.folder)), "team/api:1")
    assert (found.same_as, found.manifests[0].problems) == ((), ())
    by_digest = f"team/api@{found.found.stored.digest}"
    assert inspected(Inspector(ours(NOWHERE), None, WithoutSizes(tree.folder)), by_digest).pushed is None


class Unreadable(FolderVolume):
    def read_links(self, repositories: Collection[str] | None = None) -> Links:
        raise EngineError(f"there is no shell for {repositories}")


def test_a_volume_that_cannot_be_read_is_an_error_only_without_http(tree: Tree, registry: FakeRegistry) -> None:
    Shelf(InFake(registry), "team/api").image("1")
    with RegistryClient(registry.base_url) as client:
        found = inspected(Inspector(ours(registry.base_url), client, Unreadable(tree.folder)), "team/api:1")
    assert found.same_as == ()
    with pytest.raises(EngineError):
        Inspector(ours(NOWHERE), None, Unreadable(tree.folder))


@pytest.fixture
def broken(tree: Tree, shelf: Shelf) -> Inspector:
    shelf.image("whole")
    tree.tag("team/api", "empty", "")
    tree.tag("team/api", "lost", f"sha256:{'0' * 64}")
    tree.tag("team/api", "cut", tree.manifest("team/api", {"a": 1}))
    return by_volume(tree)


@pytest.mark.parametrize(
    ("tag", "reason"),
    [
        ("empty", "its link in the registry's volume is empty"),
        ("lost", "the registry does not have `"),
    ],
)
def test_a_tag_that_is_broken_can_be_removed(broken: Inspector, tag: str, reason: str) -> None:
    with pytest.raises(RegistryError) as caught:
        inspected(broken, f"team/api:{tag}")
    assert caught.value.message.startswith(f"tag `team/api:{tag}` is broken: {reason}")
    assert caught.value.hint == f"localreg rm team/api:{tag}"


def test_what_is_not_a_manifest_is_shown_raw(broken: Inspector) -> None:
    with pytest.raises(RegistryError) as caught:
        inspected(broken, "team/api:cut")
    assert caught.value.hint == "localreg inspect team/api:cut --raw"
    assert broken.find("team/api:cut").stored.data == b'{"a": 1}'


def test_what_is_not_there(broken: Inspector) -> None:
    for name, hint in (("nosuch", "localreg ls"), ("team/api:2", "localreg ls team/api")):
        with pytest.raises(RepositoryNotFoundError) as caught:
            inspected(broken, name)
        assert caught.value.hint == hint
