"""Garbage collection of a volume, read as a folder and by a shell; other processes act between its steps."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from support.registries.tree import Tree, run_here

from localreg.content import collector, graph
from localreg.content.collector import Collector
from localreg.content.in_use import InUse
from localreg.content.quarantine import TRASH, Quarantine
from localreg.errors import EngineError
from localreg.oci.manifest import OCI_MANIFEST
from localreg.registry.volume import WritableVolume
from localreg.registry.volume_folder import FolderVolume
from localreg.registry.volume_layout import BLOBS, VolumeFile, folder_of
from localreg.registry.volume_shell import ExecVolume

NOW, HOUR = timedelta(0), timedelta(hours=1)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """No push is waited for."""
    monkeypatch.setattr(time, "sleep", lambda _: None)
    monkeypatch.setattr(graph, "_SETTLES", ())


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


@pytest.fixture(params=["folder", "exec"])
def volume(request: pytest.FixtureRequest, tree: Tree) -> WritableVolume:
    return FolderVolume(tree.folder) if request.param == "folder" else ExecVolume(run_here, str(tree.folder))


def files(tree: Tree, *under: str) -> dict[str, bytes]:
    """The content of the registry's files."""
    return {
        str(path.relative_to(tree.folder)): path.read_bytes()
        for part in under or ("docker",)
        for path in sorted((tree.folder / part).rglob("*"))
        if path.is_file()
    }


def blobs(tree: Tree) -> set[str]:
    return {f"sha256:{path.split('/')[-2]}" for path in files(tree, BLOBS)}


def settle(tree: Tree) -> None:
    """Let all that is there be pushed an hour ago."""
    before = time.time() - 3600
    for path in tree.folder.rglob("*"):
        os.utime(path, (before, before))


@pytest.fixture
def waste(tree: Tree) -> set[str]:
    """A registry with a tag that was overwritten; the digests of what it no longer needs."""
    old = tree.image("app", layers=[b"shared", b"old"])
    tree.tag("app", "1", tree.image("app", layers=[b"shared", b"new"]))
    settle(tree)
    return {old, tree.digest(b"old")}


class Meanwhile(FolderVolume):
    """A volume where another process does something right before one of the steps."""

    def __init__(self, folder: Path, step: str, do: Callable[[], object]) -> None:
        super().__init__(folder)
        self.left = {step: do}

    def move_into(self, folders: Mapping[str, Collection[str]]) -> None:
        folder = next(iter(folders), "")
        kind = "manifests" if "/_manifests/" in folder else "blobs" if folder.endswith("/blobs") else "repositories"
        self.act(f"move {kind}")
        super().move_into(folders)
        self.act(f"moved {kind}")

    def put_back(self, moves: Collection[tuple[str, str]]) -> None:
        self.act("put back")
        super().put_back(moves)

    def remove(self, paths: Collection[str]) -> None:
        self.act(f"remove {'trash' if any(path.count('/') == 2 for path in paths) else 'other'}")
        super().remove(paths)

    def act(self, step: str) -> None:
        self.left.pop(step, lambda: None)()


def test_what_no_tag_leads_to_is_moved_and_later_deleted(tree: Tree, volume: WritableVolume, waste: set[str]) -> None:
    before = blobs(tree)
    done = Collector(volume).collect(grace=HOUR)
    assert blobs(tree) == before - waste
    assert (set(done.waste.blobs), done.freed, done.put_back) == (waste, 0, 0)
    assert done.waste.manifests == {("app", digest) for digest in waste if digest != tree.digest(b"old")}
    assert done.waiting == done.waste.size > 0
    again = Collector(volume).collect(grace=NOW)
    assert (again.freed, again.waiting, dict(again.waste.blobs)) == (done.waiting, 0, {})
    assert not (tree.folder / "localreg").exists()


def test_a_look_changes_nothing(tree: Tree, volume: WritableVolume, waste: set[str]) -> None:
    before = files(tree, "docker", "localreg")
    found = Collector(volume).look(grace=HOUR)
    assert (set(found.waste.blobs), found.freed) == (waste, 0)
    assert Collector(volume).look(grace=NOW).freed == found.waste.size
    assert files(tree, "docker", "localreg") == before
    Collector(volume).collect(grace=HOUR)
    graces = (timedelta.max, HOUR, NOW)
    assert [Collector(volume).look(grace=grace).freed for grace in graces] == [0, 0, found.waste.size]
    assert not Collector(volume).look(grace=NOW).is_busy
    Quarantine(volume).begin()
    assert Collector(volume).look(grace=NOW).is_busy


def test_undo_puts_everything_back(tree: Tree, volume: WritableVolume, waste: set[str]) -> None:
    tree.image("emptied/inner", layers=[b"other"])
    settle(tree)
    before = files(tree)
    assert Collector(volume).collect(grace=HOUR).waste.repositories == {"emptied/inner"}
    assert not (tree.root / "repositories/emptied").exists()
    assert all(Collector(volume).undo())
    assert files(tree) == before
    assert not (tree.folder / "localreg").exists()
    assert waste <= blobs(tree)


def test_untagged_manifests_are_kept_if_that_is_asked(tree: Tree, volume: WritableVolume, waste: set[str]) -> None:
    loose = tree.blob(b"loose")
    settle(tree)
    assert set(Collector(volume, keep_untagged=True).collect(grace=NOW).waste.blobs) == {loose}
    assert waste <= blobs(tree)


def test_indexes_children_and_referrers_are_kept(tree: Tree, volume: WritableVolume) -> None:
    child = tree.image("app", layers=[b"1"])
    one, two = tree.index("app", [child]), tree.index("app", [child, tree.image("app", layers=[b"2"])])
    tree.image("app", layers=[b"3"], subject=child)
    tree.tag("app", "1", two)
    settle(tree)
    before = blobs(tree)
    Collector(volume).collect(grace=NOW)
    assert blobs(tree) == before - {one}


def test_what_pushes_under_way_ask_for_is_left_alone(tree: Tree, volume: WritableVolume, waste: set[str]) -> None:
    part = tree.image("other", layers=[b"part of an index to come"])
    settle(tree)
    before = blobs(tree)
    asked = InUse(frozenset({tree.digest(b"old"), part}), frozenset({"other"}))
    done = Collector(volume, in_use=lambda: asked).collect(grace=NOW)
    assert blobs(tree) == before - (waste - {tree.digest(b"old")})
    assert done.waste.left == 3
    assert not done.waste.repositories


def test_a_manifest_that_was_linked_a_moment_ago_is_left_alone(tree: Tree, volume: WritableVolume) -> None:
    image = tree.image("app", layers=[b"1"])
    before = blobs(tree)
    done = Collector(volume).collect(grace=NOW)
    assert blobs(tree) == before
    assert not done.waste.manifests | done.waste.repositories
    assert image in before


def test_what_is_pushed_while_young_manifests_are_looked_for_is_left_alone(tree: Tree, waste: set[str]) -> None:
    """Each look would find another one."""
    pushed: list[str] = []

    class Busy(FolderVolume):
        def list_files(self, *paths: str, skip: Collection[str] = ()) -> Iterator[VolumeFile]:
            yield from list(super().list_files(*paths, skip=skip))
            if any("/_manifests/revisions/" in path for path in paths):
                pushed.append(tree.image("app", layers=[f"{len(pushed)}".encode()]))

    tree.image("app", layers=[b"young"])
    done = Collector(Busy(tree.folder)).collect(grace=NOW)
    assert set(done.waste.blobs) == waste
    assert len(pushed) == 1


def test_a_tag_that_is_being_written_protects_its_repository(tree: Tree, volume: WritableVolume) -> None:
    tree.image("app", layers=[b"1"])
    tree.tag("app", "1", "")
    settle(tree)
    before = files(tree)
    Collector(volume).collect(grace=NOW)
    assert files(tree) == before


def test_broken_content_and_strays_do_not_end_it(tree: Tree, volume: WritableVolume, waste: set[str]) -> None:
    broken = tree.image("broken", layers=[b"of broken"])
    tree.tag("broken", "1", broken)
    next(tree.root.glob(f"blobs/sha256/*/{broken[7:]}/data")).write_bytes(b"")
    tree.tag("gone", "1", f"sha256:{'0' * 64}")
    for stray in ("blobs/sha256/.DS_Store", "blobs/sha256/no-digest/x", "repositories/app/_manifests/tags/.DS_Store"):
        (tree.root / stray).parent.mkdir(exist_ok=True)
        (tree.root / stray).write_text("x")
    settle(tree)
    assert set(Collector(volume).collect(grace=NOW).waste.blobs) >= waste
    assert (tree.root / "blobs/sha256/no-digest/x").exists()
    assert broken in blobs(tree)


def test_an_upload_that_nothing_ends_is_removed(tree: Tree, volume: WritableVolume) -> None:
    tree.tag("app", "1", tree.image("app", layers=[b"1"]))
    uploads = tree.root / "repositories/app/_uploads"
    for name, part in (("cancelled", "hashstates/sha256/0"), ("running", "startedat"), ("running", "data")):
        (uploads / name / part).parent.mkdir(parents=True, exist_ok=True)
        (uploads / name / part).write_bytes(b"12345")
    settle(tree)
    (uploads / "new").mkdir()
    (uploads / "new/data").write_bytes(b"1")
    later = time.time() - HOUR.total_seconds() / 2
    os.utime(uploads / "cancelled/hashstates/sha256/0", (later, later))
    for grace, old, recent in ((HOUR, [], [5, 1]), (NOW, [5], [1])):
        found, done = Collector(volume).look(grace=grace), Collector(volume).collect(grace=grace)
        assert found.uploads == done.uploads
        assert [(upload.repository, upload.size) for upload in done.uploads.old] == [("app", size) for size in old]
        assert [upload.size for upload in done.uploads.recent] == recent
        assert found.freed == done.freed == sum(old)
    assert sorted(path.name for path in uploads.iterdir()) == ["new", "running"]


def test_an_emptied_repository_leaves_and_the_ones_in_it_stay(tree: Tree, volume: WritableVolume) -> None:
    tree.tag("a/b", "1", tree.image("a/b", layers=[b"1"]))
    tree.layer("a", b"1")
    tree.layer("uploading", b"1")
    tree.layer("pushing", b"1")
    started = tree.root / "repositories/uploading/_uploads/1/startedat"
    started.parent.mkdir(parents=True)
    started.touch()
    settle(tree)
    done = Collector(volume, in_use=lambda: InUse(repositories=frozenset({"pushing"}))).collect(grace=HOUR)
    assert done.waste.repositories == {"a"}
    assert volume.list_repositories() == ["a/b", "pushing", "uploading"]


@pytest.mark.parametrize("step", ["move manifests", "moved manifests", "move blobs", "moved blobs"])
@pytest.mark.parametrize("again", ["the same manifest", "a new manifest", "a signature"])
def test_what_is_needed_again_meanwhile_is_put_back(tree: Tree, waste: set[str], step: str, again: str) -> None:
    (old,) = waste - {tree.digest(b"old")}

    def push() -> None:
        """As a client does that saw the old layer before it was moved."""
        if again == "the same manifest":
            tree.revision("app", old)
            tree.tag("app", "2", old)
        else:
            subject = old if again == "a signature" else None
            link = {"mediaType": "x", "digest": tree.digest(b"old"), "size": 3}
            content: dict[str, Any] = {"config": link, "layers": [link]}
            tree.tag("app", "2", tree.manifest("app", content | ({"subject": {"digest": subject}} if subject else {})))

    volume = Meanwhile(tree.folder, step, push)
    done = Collector(volume).collect(grace=NOW)
    assert not volume.left
    assert tree.digest(b"old") in blobs(tree)
    assert (old in blobs(tree)) == (again == "the same manifest")
    if "moved" in step or "blobs" in step:
        assert done.put_back
    if again == "the same manifest":
        assert ("app", old) in volume.read_links().revisions


def test_a_referrer_of_what_is_needed_again_comes_back_as_well(tree: Tree, waste: set[str]) -> None:
    (old,) = waste - {tree.digest(b"old")}
    signature = tree.image("app", layers=[b"signature"], subject=old)
    settle(tree)
    volume = Meanwhile(tree.folder, "moved blobs", lambda: tree.tag("app", "2", old))
    Collector(volume).collect(grace=NOW)
    assert {("app", old), ("app", signature)} <= volume.read_links().revisions
    assert {old, signature, tree.digest(b"signature")} <= blobs(tree)


def test_the_manifests_of_an_emptied_repository_count_and_come_back_with_their_referrers(tree: Tree) -> None:
    image = tree.image("app", layers=[b"1"])
    signature = tree.image("app", layers=[b"signature"], subject=image)
    settle(tree)
    found = Collector(FolderVolume(tree.folder)).look(grace=HOUR).waste.manifests
    assert found == Collector(FolderVolume(tree.folder)).collect(grace=HOUR).waste.manifests
    assert found == {("app", image), ("app", signature)}
    Collector(FolderVolume(tree.folder)).undo()

    def push() -> None:
        tree.revision("app", image)
        tree.tag("app", "1", image)

    Collector(Meanwhile(tree.folder, "moved repositories", push)).collect(grace=NOW)
    assert FolderVolume(tree.folder).read_links().revisions == found


def test_a_repository_that_is_pushed_to_again_comes_back(tree: Tree) -> None:
    shared = tree.layer("app", b"shared")
    settle(tree)
    push = tree.manifest("other", {"config": {"digest": shared, "size": 6}})
    tree.tag("other", "1", push)

    def tag() -> None:
        tree.revision("app", push)
        tree.tag("app", "1", push)

    volume = Meanwhile(tree.folder, "moved repositories", tag)
    Collector(volume).collect(grace=NOW)
    assert (tree.root / f"repositories/app/_layers/{shared.replace(':', '/')}/link").exists()


def test_a_push_to_a_repository_that_is_about_to_leave_keeps_its_tag(tree: Tree) -> None:
    """No tag led to anything in it when it was looked at."""
    tree.image("app", layers=[b"shared"])
    settle(tree)
    pushed: list[str] = []

    def push() -> None:
        pushed.append(tree.image("app", layers=[b"shared", b"new"]))
        tree.tag("app", "1", pushed[0])

    for step in ("move repositories", "moved repositories"):
        volume = Meanwhile(tree.folder, step, push)
        Collector(volume).collect(grace=NOW)
        assert not volume.left
        links = volume.read_links()
        assert links.by_tag["app", "1"].digest == pushed[0]
        assert ("app", pushed[0]) in links.revisions
        for layer in (b"shared", b"new"):
            digest = tree.digest(layer)
            assert digest in blobs(tree)
            assert (tree.root / f"repositories/app/_layers/{digest.replace(':', '/')}/link").exists()
        shutil.rmtree(tree.root / "repositories/app/_manifests")
        pushed.clear()
        tree.image("app", layers=[b"shared"])
        settle(tree)


@pytest.mark.usefixtures("waste")
def test_a_manifest_whose_tag_follows_late_keeps_its_layers(tree: Tree) -> None:
    """The registry has linked it, but not written its tag, when the last look is made."""
    late: list[str] = []

    def push() -> None:
        link = {"mediaType": "x", "digest": tree.digest(b"old"), "size": 3}
        late.append(tree.manifest("app", {"config": link, "layers": [link]}))

    Collector(Meanwhile(tree.folder, "moved blobs", push)).collect(grace=NOW)
    tree.tag("app", "2", late[0])
    assert {late[0], tree.digest(b"old")} <= blobs(tree)


@pytest.mark.usefixtures("waste")
def test_a_push_that_was_checked_right_before_the_move_keeps_its_layers(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The registry writes its manifest after the look that follows the move."""
    waited: list[float] = []

    def push(seconds: float) -> None:
        waited.append(seconds)
        link = {"mediaType": "x", "digest": tree.digest(b"old"), "size": 3}
        tree.tag("app", "2", tree.manifest("app", {"config": link, "layers": [link]}))

    monkeypatch.setattr(time, "sleep", push)
    done = Collector(FolderVolume(tree.folder)).collect(grace=HOUR)
    assert waited == [2]
    assert done.put_back
    assert tree.digest(b"old") in blobs(tree)


@pytest.mark.usefixtures("waste")
def test_a_manifest_that_cannot_be_read_ends_it(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its layers must not seem to be waste."""
    kept = tree.image("app", layers=[b"of a manifest on a bad sector"])
    tree.tag("app", "3", kept)
    settle(tree)
    before = files(tree)
    opened, read = os.open, Path.read_bytes

    def checked(path: object) -> None:
        if str(path).endswith(f"{kept[7:]}/data"):
            raise OSError(errno.EIO, "Input/output error")

    def fail_to_open(path: Any, *arguments: Any, **options: Any) -> int:
        checked(path)
        return opened(path, *arguments, **options)

    def fail_to_read(path: Path) -> bytes:
        checked(path)
        return read(path)

    monkeypatch.setattr(os, "open", fail_to_open)
    monkeypatch.setattr(Path, "read_bytes", fail_to_read)
    with pytest.raises(EngineError, match="input/output error"):
        Collector(FolderVolume(tree.folder)).collect(grace=NOW)
    monkeypatch.undo()
    assert files(tree) == before


def test_a_stored_layer_that_has_urls_is_kept(tree: Tree, volume: WritableVolume) -> None:
    """Clients can be told to push layers of Windows as well."""
    layer = tree.layer("app", b"windows")
    foreign = {
        "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "digest": layer,
        "size": 7,
        "urls": ["https://example.com/windows"],
    }
    config = {"mediaType": "x", "digest": tree.layer("app", b"{}"), "size": 2}
    content = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": [foreign]}
    tree.tag("app", "1", tree.manifest("app", content))
    settle(tree)
    Collector(volume).collect(grace=NOW)
    assert layer in blobs(tree)


class KilledError(BaseException):
    """The process ends here."""


def kill() -> None:
    raise KilledError


STEPS = ["move manifests", "moved manifests", "move repositories", "moved repositories", "move blobs", "moved blobs"]


@pytest.mark.parametrize("step", [*STEPS, "remove other", "remove trash"])
@pytest.mark.parametrize("then", ["collect", "undo", "finish"])
def test_after_a_kill_the_next_command_completes_it(
    tree: Tree, waste: set[str], step: str, then: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree.image("emptied", layers=[b"emptied"])
    settle(tree)
    before = files(tree)
    with pytest.raises(KilledError):
        Collector(Meanwhile(tree.folder, step, kill)).collect(grace=NOW)
    volume = FolderVolume(tree.folder)
    # A client pushes the old image again before anything else runs.
    (old,) = waste - {tree.digest(b"old")}
    tree.revision("app", old)
    tree.tag("app", "2", old)
    if then == "collect":
        Collector(volume).collect(grace=NOW)
    elif then == "undo":
        Collector(volume).undo()
        assert {path: data for path, data in files(tree).items() if "/tags/2/" not in path} == before
        monkeypatch.setattr(collector, "_DEAD_SECONDS", -1)
        Collector(volume).finish()
        assert not (tree.folder / "localreg").exists()
    else:
        Collector(volume).finish()
    # Of a manifest whose bytes are in the trash, the registry can tell nothing.
    assert ("app", old) in volume.read_links().revisions
    if step != "remove trash":
        assert waste <= blobs(tree)


def test_a_collection_that_is_alive_is_not_closed_by_another(tree: Tree, waste: set[str]) -> None:
    seen: list[bool] = []

    def look() -> None:
        Collector(FolderVolume(tree.folder)).finish()
        seen.extend(batch.is_open for batch in Quarantine(FolderVolume(tree.folder)).list())

    Collector(Meanwhile(tree.folder, "moved blobs", look)).collect(grace=HOUR)
    assert seen == [True]
    assert not waste & blobs(tree)


def test_an_empty_batch_of_one_that_was_killed_leaves_nothing_to_delete_or_undo(tree: Tree, waste: set[str]) -> None:
    Quarantine(FolderVolume(tree.folder)).begin()
    done = Collector(FolderVolume(tree.folder)).collect(grace=NOW)
    assert not waste & blobs(tree)
    assert (done.waiting, done.deletable_at, done.is_busy) == (0, None, True)


def test_what_another_collection_moves_meanwhile_is_not_deleted(tree: Tree, waste: set[str]) -> None:
    def other() -> None:
        Collector(FolderVolume(tree.folder)).collect(grace=HOUR)

    Collector(Meanwhile(tree.folder, "remove trash", other)).collect(grace=NOW)
    tree.image("late", layers=[b"late"])
    settle(tree)
    assert not waste & blobs(tree)
    Collector(Meanwhile(tree.folder, "remove trash", other)).collect(grace=NOW)
    assert any(TRASH in path for path in files(tree, "localreg")) or tree.digest(b"late") not in blobs(tree)


def test_undo_deletes_nothing_that_a_collection_moves_meanwhile(tree: Tree, waste: set[str]) -> None:
    before = files(tree)

    def undo() -> None:
        Collector(Meanwhile(tree.folder, "put back", lambda: collecting.act("go on"))).undo()

    def go_on() -> None:
        FolderVolume.move_into(collecting, {f"{TRASH}/{batch()}/blobs": [folder_of(digest) for digest in waste]})

    def batch() -> str:
        return next((tree.folder / TRASH).iterdir()).name

    collecting = Meanwhile(tree.folder, "move blobs", undo)
    collecting.left["go on"] = go_on
    Collector(collecting).collect(grace=HOUR)
    Collector(FolderVolume(tree.folder)).undo()
    assert files(tree) == before


def test_strange_files_in_the_quarantine_are_no_error(tree: Tree, volume: WritableVolume, waste: set[str]) -> None:
    for name in (f"{TRASH}/x", f"{TRASH}/by-hand/blobs/notes.txt", "localreg/notes.txt"):
        (tree.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (tree.folder / name).write_text("x")
    settle(tree)
    Collector(volume).collect(grace=NOW)
    assert not waste & blobs(tree)
    assert (tree.folder / TRASH / "by-hand/blobs/notes.txt").exists()


@pytest.mark.parametrize("way", ["folder", "exec"])
def test_an_overlay_that_cannot_rename_folders_renames_files(
    tree: Tree, waste: set[str], way: str, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rename = os.rename

    def rename_files(path: str, target: str) -> None:
        if Path(path).is_dir():
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        rename(path, target)

    monkeypatch.setattr(os, "rename", rename_files)
    programs = tmp_path_factory.mktemp("bin")
    real = {name: shutil.which(name) for name in ("stat", "mv")}
    (programs / "stat").write_text(f'#!/bin/sh\n[ "$1" = -f ] && echo 794c7630 || exec {real["stat"]} "$@"\n')
    (programs / "mv").write_text(f'#!/bin/sh\nfor each; do [ ! -d "$each" ] || exit 1; done; exec {real["mv"]} "$@"\n')
    for program in programs.iterdir():
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    before = files(tree)
    volume = FolderVolume(tree.folder) if way == "folder" else ExecVolume(run_here, str(tree.folder))
    done = Collector(volume).collect(grace=HOUR)
    assert set(done.waste.blobs) == waste
    assert not waste & blobs(tree)
    Collector(volume).undo()
    assert files(tree) == before
