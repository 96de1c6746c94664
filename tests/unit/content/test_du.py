"""`du`: the numbers add up, whatever the registry holds."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from support.registries.fake import FakeRegistry
from support.registries.tree import Tree, run_here

from localreg.content.collector import Collector
from localreg.content.du import Part, Row, SortKey, Storage, Usage, find_usage
from localreg.errors import EngineError, RegistryUnreachableError
from localreg.oci.api import RegistryClient
from localreg.oci.manifest import OCI_MANIFEST
from localreg.registry.volume import WritableVolume
from localreg.registry.volume_folder import FolderVolume
from localreg.registry.volume_shell import ExecVolume
from localreg.system.waiting import wait_until

pytestmark = pytest.mark.usefixtures("nothing_is_young")


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path / "volume")


def volume_of(tree: Tree) -> FolderVolume:
    return FolderVolume(tree.folder)


def usage(tree: Tree, *patterns: str, by_tag: bool = False, sort: SortKey = SortKey.SIZE) -> Usage:
    """The usage by the folder, which is also the one by a shell."""
    found = find_usage(None, volume_of(tree), patterns, by_tag=by_tag, sort=sort)
    shell: WritableVolume = ExecVolume(run_here, str(tree.folder))
    again = find_usage(None, shell, patterns, by_tag=by_tag, sort=sort)
    assert (again.rows, again.shared, again.missing) == (found.rows, found.shared, found.missing)
    # `du` counts in kB, and a file system may give a file its blocks later than its bytes.
    assert wait_until(lambda: abs(shell.disk_usage() - volume_of(tree).disk_usage()) <= 1024, seconds=20)
    return found


def storage(tree: Tree) -> Storage:
    found = usage(tree).storage
    assert found is not None
    return found


def rows(found: Usage) -> dict[str, tuple[int, int, int]]:
    """Total, unique and shared bytes of each row."""
    return {
        ":".join(filter(None, (row.repository, row.tag))): (row.total, row.unique, row.shared) for row in found.rows
    }


def size_of(tree: Tree, digest: str) -> int:
    encoded = digest.removeprefix("sha256:")
    return (tree.root / f"blobs/sha256/{encoded[:2]}/{encoded}/data").stat().st_size


def bytes_below(folder: Path, name: str = "*") -> int:
    """The lengths of the files, counted by other means than localreg's."""
    return sum(path.stat().st_size for path in folder.rglob(name) if path.is_file())


def assert_adds_up(tree: Tree) -> None:
    """All sums hold, and each part is what the disk says of it."""
    blobs, trash = bytes_below(tree.root / "blobs", "data"), bytes_below(tree.folder / "localreg", "data")
    uploads = sum(bytes_below(folder) for folder in (tree.root / "repositories").rglob("_uploads"))
    for by_tag in (False, True):
        found = usage(tree, by_tag=by_tag)
        stored = found.storage
        assert stored is not None
        assert sum(row.unique for row in found.rows) + found.shared == found.total == stored.tagged
        assert all(0 <= row.unique <= row.total <= stored.tagged for row in found.rows)
        assert all(row.unique + row.shared == row.total for row in found.rows)
        assert stored.tagged + stored.untagged.size + stored.unreferenced.size == blobs
        assert (stored.quarantine.size, stored.uploads.size) == (trash, uploads)
        parts = stored.untagged.size + stored.unreferenced.size + stored.quarantine.size + stored.uploads.size
        assert stored.tagged + parts + stored.overhead == stored.disk
        assert stored.disk == int(subprocess.check_output(["du", "-s", "-B512", tree.folder]).split()[0]) * 512


def assert_unique_is_freed(tree: Tree, tmp_path: Path) -> None:
    """Without a row, `gc` frees exactly its unique bytes more."""
    waste = Collector(volume_of(tree)).look(grace=timedelta(hours=1)).waste
    stored = storage(tree)
    assert waste.size == stored.untagged.size + stored.unreferenced.size
    assert len(waste.manifests) == stored.untagged.count
    for row in usage(tree, by_tag=True).rows:
        copy = FolderVolume(tmp_path / "copy")
        shutil.copytree(tree.folder, tmp_path / "copy")
        shutil.rmtree(tmp_path / f"copy/docker/registry/v2/repositories/{row.repository}/_manifests/tags/{row.tag}")
        assert Collector(copy).look(grace=timedelta(hours=1)).waste.size == waste.size + row.unique, row
        shutil.rmtree(tmp_path / "copy")


def shared_in_one_repository(tree: Tree) -> None:
    tree.tag("app", "1", tree.image("app", layers=[b"base" * 100, b"one"]))
    tree.tag("app", "2", tree.image("app", layers=[b"base" * 100, b"two"]))


def shared_by_repositories(tree: Tree) -> None:
    for name in ("app", "team/app", "team"):
        tree.tag(name, "1", tree.image(name, layers=[b"base" * 100, name.encode()]))


def same_digest_twice(tree: Tree) -> None:
    image = tree.image("app", layers=[b"1"])
    tree.tag("app", "1", image)
    tree.tag("app", "latest", image)


def index_children(tree: Tree) -> None:
    amd, arm = tree.image("app", layers=[b"amd"]), tree.image("app", layers=[b"arm"])
    tree.tag("app", "both", tree.index("app", [amd, arm]))
    tree.tag("app", "nested", tree.index("app", [tree.index("app", [arm])]))
    tree.tag("app", "amd", amd)
    tree.index("app", [amd, tree.image("app", layers=[b"riscv"])])


def referrers(tree: Tree) -> None:
    image = tree.image("app", layers=[b"1"])
    tree.tag("app", "1", image)
    signature = tree.image("app", layers=[b"signature"], subject=image)
    tree.image("app", layers=[b"of signature"], subject=signature)
    # About an image that is in another repository.
    tree.image("other", layers=[b"stray"], subject=image)


def sha512_layer(tree: Tree) -> None:
    stored = tree.layer("app", b"layer" * 50)
    named = f"sha512:{hashlib.sha512(b'layer' * 50).hexdigest()}"
    link = tree.root / f"repositories/app/_layers/{named.replace(':', '/')}/link"
    link.parent.mkdir(parents=True)
    link.write_text(stored)
    config = {"digest": tree.layer("app", b"{}"), "size": 2}
    tree.tag("app", "1", tree.manifest("app", {"config": config, "layers": [{"digest": named, "size": 250}]}))


def broken_manifests(tree: Tree) -> None:
    layer = tree.layer("app", b"layer of schema 1")
    tree.tag("app", "old", tree.manifest("app", {"schemaVersion": 1, "fsLayers": [{"blobSum": layer}]}))
    changed = tree.image("app", layers=[b"changed"])
    (tree.root / f"blobs/sha256/{changed[7:9]}/{changed[7:]}/data").write_bytes(b"{ changed on the disk")
    tree.tag("app", "changed", changed)
    lost = tree.image("app", layers=[b"lost"])
    (tree.root / f"blobs/sha256/{lost[7:9]}/{lost[7:]}/data").unlink()
    tree.tag("app", "lost", lost)
    tree.tag("app", "nowhere", f"sha256:{'0' * 64}")


def lost_layer(tree: Tree) -> None:
    tree.tag("app", "1", tree.image("app", layers=[b"lost", b"kept"]))
    lost = tree.digest(b"lost")
    (tree.root / f"blobs/sha256/{lost[7:9]}/{lost[7:]}/data").unlink()


def empty_link(tree: Tree) -> None:
    tree.tag("app", "whole", tree.image("app", layers=[b"whole"]))
    tree.image("app", layers=[b"which tag led to it is not known"])
    tree.tag("app", "empty", "")
    tree.tag("only", "empty", "")
    tree.image("app2", layers=[b"waste"])


def uploads(tree: Tree) -> None:
    for repository, name, files in (
        ("app", "1", {"data": b"x" * 5000, "startedat": b"2026-11-01T12:00:00Z", "hashstates/sha256/0": b"state"}),
        ("app", "2", {"data": b"y" * 70}),
        ("team/app", "3", {"startedat": b"2026-11-01T12:00:00Z"}),
    ):
        for path, content in files.items():
            file = tree.root / f"repositories/{repository}/_uploads/{name}/{path}"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)


def strays(tree: Tree) -> None:
    (tree.root / "blobs/sha256/.DS_Store").write_bytes(b"x" * 300)
    (tree.root / "repositories/.DS_Store").write_bytes(b"x" * 300)
    (tree.root / "blobs/sha256/no digest").mkdir(parents=True)
    (tree.folder / "someone's notes").write_bytes(b"x" * 9000)


def nested_repositories(tree: Tree) -> None:
    for name in ("a", "a/b", "a/b/c"):
        tree.tag(name, "1", tree.image(name, layers=[name.encode() * 9, b"common"]))
    tree.image("a/b", layers=[b"untagged"])


def waste(tree: Tree) -> None:
    tree.image("app", layers=[b"untagged" * 30, b"base" * 100])
    tree.blob(b"nothing refers to it" * 10)


def trash(tree: Tree) -> None:
    tree.tag("app", "kept", tree.image("app", layers=[b"kept"]))
    tree.image("app", layers=[b"collected" * 20])
    Collector(volume_of(tree)).collect(grace=timedelta(hours=1))


ODD: tuple[Callable[[Tree], None], ...] = (
    lambda _: None,
    shared_in_one_repository,
    shared_by_repositories,
    same_digest_twice,
    index_children,
    referrers,
    sha512_layer,
    lost_layer,
    empty_link,
    uploads,
    nested_repositories,
    waste,
    trash,
)


@pytest.mark.parametrize("case", [*ODD, broken_manifests, strays], ids=lambda case: case.__name__)
def test_the_numbers_add_up(tree: Tree, tmp_path: Path, case: Callable[[Tree], None]) -> None:
    (tree.root / "blobs/sha256").mkdir()
    case(tree)
    assert_adds_up(tree)
    assert_unique_is_freed(tree, tmp_path)


@pytest.mark.parametrize("seed", range(8))
def test_the_numbers_add_up_in_any_mixture(tree: Tree, seed: int) -> None:
    chance = random.Random(seed)
    (tree.root / "blobs/sha256").mkdir()
    for case in chance.sample([*ODD, broken_manifests, strays], 6):
        case(tree)
    images: list[tuple[str, str]] = []
    for number in range(40):
        repository = chance.choice(["app", "team/app", "team/web", "a/b"])
        of_repository = [digest for name, digest in images if name == repository]
        layers = [bytes([chance.randrange(9)]) * chance.randrange(1, 4000) for _ in range(3)]
        if of_repository and chance.random() < 0.3:
            digest = tree.index(repository, chance.choices(of_repository, k=2))
        else:
            subject = chance.choice([None, None, *of_repository])
            digest = tree.image(repository, layers=layers, subject=subject)
        images.append((repository, digest))
        if chance.random() < 0.6:
            tree.tag(repository, f"v{number % 13}", digest)
    assert_adds_up(tree)


def test_unique_bytes_are_in_one_row_and_shared_ones_in_several(tree: Tree) -> None:
    one = tree.image("app", layers=[b"base" * 100, b"only in 1"])
    tree.tag("app", "1", one)
    two = tree.image("app", layers=[b"base" * 100, b"of 2"])
    tree.tag("app", "2", two)
    web = tree.image("web", layers=[b"of the web"])
    tree.tag("web", "1", web)
    manifests = {name: size_of(tree, digest) for name, digest in (("1", one), ("2", two), ("web", web))}
    # They all have the same config of 2 bytes.
    assert rows(usage(tree, by_tag=True)) == {
        "app:1": (manifests["1"] + 411, manifests["1"] + 9, 402),
        "app:2": (manifests["2"] + 406, manifests["2"] + 4, 402),
        "web:1": (manifests["web"] + 12, manifests["web"] + 10, 2),
    }
    app = manifests["1"] + manifests["2"] + 415
    assert rows(usage(tree)) == {
        "app": (app, app - 2, 2),
        "web": (manifests["web"] + 12, manifests["web"] + 10, 2),
    }


def test_a_digest_with_two_tags_is_unique_to_its_repository_alone(tree: Tree) -> None:
    same_digest_twice(tree)
    assert [(row.unique, row.shared == row.total) for row in usage(tree, by_tag=True).rows] == [(0, True)] * 2
    assert [row.shared for row in usage(tree).rows] == [0]


def test_rows_are_chosen_by_patterns_and_compared_with_all(tree: Tree) -> None:
    shared_by_repositories(tree)
    every = rows(usage(tree))
    chosen = usage(tree, "team/*", "nosuch")
    assert (rows(chosen), chosen.missing) == ({"team/app": every["team/app"]}, ("nosuch",))
    assert (chosen.unique + chosen.shared, chosen.shared) == (chosen.total, every["team/app"][2])
    # A pattern with a tag asks for tags.
    assert list(rows(usage(tree, "app:1", "team"))) == ["team:1", "app:1"]


def test_the_largest_comes_first_or_the_names_are_in_order(tree: Tree) -> None:
    for name, length in (("a", 10), ("b", 1000), ("c", 100)):
        tree.tag(name, "1", tree.image(name, layers=[name.encode() * length]))
    assert [row.repository for row in usage(tree).rows] == ["b", "c", "a"]
    assert [row.repository for row in usage(tree, sort=SortKey.NAME).rows] == ["a", "b", "c"]


def test_what_no_tag_leads_to_is_counted(tree: Tree) -> None:
    tree.tag("app", "1", tree.image("app", layers=[b"base" * 100]))
    waste(tree)
    untagged = size_of(tree, tree.image("app", layers=[b"untagged" * 30, b"base" * 100]))
    found = storage(tree)
    assert (found.untagged, found.unreferenced) == (Part(1, untagged + 240), Part(1, 200))


def test_uploads_are_counted_with_all_their_files(tree: Tree) -> None:
    uploads(tree)
    assert storage(tree).uploads == Part(3, 5000 + 20 + 5 + 70 + 20)


def test_tags_that_cannot_be_read_are_counted(tree: Tree) -> None:
    broken_manifests(tree)
    empty_link(tree)
    # Schema 1 can be read.
    assert usage(tree, by_tag=True).unreadable == 5
    assert usage(tree, "app:old").unreadable == 0


def test_a_file_system_that_stores_less_makes_the_overhead_negative(tree: Tree) -> None:
    digest = tree.layer("app", b"")
    place = tree.root / f"blobs/sha256/{digest[7:9]}/{digest[7:]}/data"
    os.truncate(place, 1 << 30)
    found = storage(tree)
    assert found.unreferenced == Part(1, 1 << 30)
    assert found.overhead == found.disk - (1 << 30) < 0


def serve(registry: FakeRegistry, tree: Tree, repository: str, tag: str, digest: str) -> None:
    """Let the registry answer with a manifest of the volume."""
    place = tree.root / f"blobs/sha256/{digest[7:9]}/{digest[7:]}/data"
    registry.put_manifest(json.loads(place.read_bytes()), OCI_MANIFEST, at=f"{repository}:{tag}")


def asked(registry: FakeRegistry, volume: WritableVolume | None) -> Usage:
    with RegistryClient(registry.base_url) as client:
        return find_usage(client, volume)


def test_the_volume_is_read_if_it_is_the_registrys(registry: FakeRegistry, tree: Tree) -> None:
    image = tree.image("app", layers=[b"1"])
    tree.tag("app", "1", image)
    serve(registry, tree, "app", "1", image)
    assert asked(registry, volume_of(tree)) == usage(tree)


def test_a_registry_with_other_content_than_its_volume_is_asked(registry: FakeRegistry, tree: Tree) -> None:
    # As if it stores its images in S3: its volume is empty, or has what it stored there before.
    registry.put_image("app:1", layers=[b"1" * 50])
    for fill in (lambda: None, lambda: tree.tag("app", "1", tree.image("app", layers=[b"old"]))):
        fill()
        found = asked(registry, volume_of(tree))
        assert (found.storage, found.unknown) == (None, "it stores its images elsewhere than in its container's volume")
        assert [row.repository for row in found.rows] == ["app"]
        assert found.total > 50


def test_an_emptied_registry_still_tells_what_it_stores(registry: FakeRegistry, tree: Tree) -> None:
    serve(registry, tree, "app", "1", tree.image("app", layers=[b"1"]))
    registry.tags["app"] = None
    found = asked(registry, volume_of(tree))
    assert (found.rows, found.storage and found.storage.untagged.count) == ((), 1)


def test_a_few_tags_that_the_registry_cannot_read_do_not_hide_the_volume(registry: FakeRegistry, tree: Tree) -> None:
    for name in ("a", "b", "c"):
        image = tree.image(name, layers=[name.encode()])
        tree.tag(name, "1", image)
        serve(registry, tree, name, "1", image)
    registry.faults |= {"/v2/a/manifests/1": "500", "/v2/b/manifests/1": "absent"}
    assert asked(registry, volume_of(tree)).storage is not None


def test_the_registry_alone_tells_the_sizes_in_manifests(registry: FakeRegistry) -> None:
    one = registry.put_image("app:1", layers=[b"base" * 100, b"only in 1"])
    registry.put_image("web:1", layers=[b"base" * 100])
    config = next(len(data) for data in registry.blobs.values() if b"created" in data)
    found = asked(registry, None)
    app = len(registry.manifests[one][1]) + 9
    assert rows(found)["app"] == (app + config + 400, app, config + 400)
    assert (found.shared, found.storage) == (config + 400, None)
    assert found.unknown


def test_a_tag_that_the_registry_cannot_read_has_no_bytes(registry: FakeRegistry) -> None:
    registry.put_image("app:1")
    registry.put_image("app:2", layers=[b"2"])
    registry.faults["/v2/app/manifests/2"] = "500"
    with RegistryClient(registry.base_url) as client:
        found = find_usage(client, None, by_tag=True)
    assert found.unreadable == 1
    assert found.rows[-1] == Row("app", "2", 0, 0)
    assert found.rows[0].total == found.rows[0].unique > 0


def test_a_volume_that_cannot_be_read_leaves_the_registry(registry: FakeRegistry) -> None:
    def run(_: Sequence[str]) -> Iterator[bytes]:
        raise EngineError("the container has no shell")
        yield b""

    registry.put_image("app:1")
    volume = ExecVolume(run, "/")
    assert asked(registry, volume).unknown == "the container has no shell"
    with pytest.raises(EngineError, match="no shell"):
        find_usage(None, volume)
    with pytest.raises(EngineError, match="no volume"):
        find_usage(None, None)


def test_a_registry_that_does_not_answer_is_an_error(tree: Tree) -> None:
    tree.tag("app", "1", tree.image("app", layers=[b"1"]))
    with RegistryClient("http://127.0.0.1:1") as client, pytest.raises(RegistryUnreachableError):
        find_usage(client, volume_of(tree))


def test_a_registry_that_goes_away_meanwhile_is_an_error(registry: FakeRegistry) -> None:
    registry.put_image("app:1")
    registry.faults["/v2/app/manifests/1"] = "gone"
    with RegistryClient(registry.base_url) as client, pytest.raises(RegistryUnreachableError):
        find_usage(client, None)
