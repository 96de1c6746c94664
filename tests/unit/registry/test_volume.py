"""Reading a registry's folder, directly and with the shell of a container; the tree is like Distribution's."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from support.registries.tree import PUSHED, Tree, run_here

from localreg.errors import EngineError
from localreg.registry.volume import Volume, WritableVolume
from localreg.registry.volume_folder import FolderVolume
from localreg.registry.volume_layout import BLOBS, REPOSITORIES, ROOT, Links, TagLink, folder_of
from localreg.registry.volume_shell import ExecVolume


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


@pytest.fixture(params=["folder", "exec"])
def volume(request: pytest.FixtureRequest, tree: Tree) -> WritableVolume:
    return FolderVolume(tree.folder) if request.param == "folder" else ExecVolume(run_here, str(tree.folder))


def test_every_tag_is_listed_with_the_time_of_its_push(tree: Tree, volume: Volume) -> None:
    digest = tree.blob(b"{}")
    wanted = [
        tree.tag("a", "1", digest),
        tree.tag("a/b", "index", digest),
        tree.tag("index", "current", digest),
        tree.tag("team/revisions", "link", ""),
    ]
    assert sorted(volume.read_links().tags, key=str) == sorted(wanted, key=str)


def test_every_manifest_of_a_repository_is_listed(tree: Tree, volume: Volume) -> None:
    digests = [tree.blob(data) for data in (b"1", b"2")]
    wanted = {tree.revision("a", digests[0]), tree.revision("a/b", digests[0]), tree.revision("a/b", digests[1])}
    tree.tag("a", "1", digests[0])
    assert volume.read_links().revisions == wanted


def test_strays_are_not_tags(tree: Tree, volume: Volume) -> None:
    wanted = tree.tag("a", "1", tree.blob(b"{}"))
    tags = tree.root / "repositories/a/_manifests/tags"
    (tags / ".DS_Store").write_text("x")
    (tags / "empty").mkdir()
    (tree.root / "repositories/notes.txt").write_text("x")
    broken = tree.tag("a", "broken", "sha256:abc")
    assert {link.tag: link.digest for link in volume.read_links().tags} == {wanted.tag: wanted.digest, broken.tag: None}


def test_of_some_repositories_only_their_own_tags_are_listed(tree: Tree, volume: Volume) -> None:
    digest = tree.blob(b"{}")
    wanted = tree.tag("a", "1", digest)
    tree.tag("a/b", "1", digest)
    tree.tag("c", "1", digest)
    assert volume.read_links(["a", "missing"]).tags == (wanted,)


def test_odd_files_do_not_stop_the_listing(tree: Tree, volume: Volume) -> None:
    digest = tree.blob(b"{}")
    wanted = tree.tag("a", "1", digest)
    tags = tree.root / "repositories/a/_manifests/tags"
    for name in (os.fsdecode(b"\xff"), "pipe"):
        (tags / name / "current").mkdir(parents=True)
    (tags / os.fsdecode(b"\xff") / "current/link").write_text(digest)
    os.mkfifo(tags / "pipe/current/link")
    found = {link.tag: link.digest for link in volume.read_links().tags}
    assert (found.pop("1"), found.pop("\ufffd"), found.pop("pipe", None), found) == (wanted.digest, digest, None, {})


def test_a_time_beyond_the_calendar_is_not_known() -> None:
    path = "./a/_manifests/tags/1/current/link"
    output = f"999999999999999 {path}\n{path}:\n".encode()
    (link,) = ExecVolume(lambda _: iter([output]), "/").read_links().tags
    assert link == TagLink("a", "1", None, None)


def test_a_folder_that_is_not_readable_as_a_whole_is_an_error(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.tag("secret", "1", tree.blob(b"{}"))

    def refuse(_: str) -> list[str]:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "listdir", refuse)
    with pytest.raises(EngineError, match="permission denied"):
        FolderVolume(tree.folder).read_links()


def test_blobs_are_read_and_checked(tree: Tree, volume: Volume) -> None:
    contents = [b"", b"\n\n", b'{"a": 1}\n', os.urandom(100_000)]
    digests = [tree.blob(data) for data in contents]
    changed, too_large = tree.blob(b"before"), tree.blob(bytes((4 << 20) + 1))
    (tree.root / f"blobs/sha256/{changed[7:9]}/{changed[7:]}/data").write_bytes(b"after!")
    asked = [digests[0], changed, *digests[1:], too_large, f"sha256:{'0' * 64}", "sha512:00", "--help"]
    assert dict(volume.read_blobs(asked)) == dict(zip(digests, contents, strict=True))


def test_nothing_is_asked_and_nothing_is_there(tree: Tree, volume: Volume) -> None:
    assert list(volume.read_blobs([])) == []
    assert list(volume.read_blobs([f"sha256:{'0' * 64}"])) == []
    assert volume.read_links() == Links((), frozenset())
    for part in ("blobs", "repositories"):
        (tree.root / part).rmdir()
    assert volume.read_links() == Links((), frozenset())
    assert list(volume.read_blobs([f"sha256:{'0' * 64}"])) == []


def test_a_folder_says_whether_it_can_be_read(tree: Tree) -> None:
    assert FolderVolume(tree.folder).is_readable
    assert not FolderVolume(tree.folder / "nothing").is_readable


def test_a_container_without_a_shell_is_an_error() -> None:
    def run(_: Sequence[str]) -> Iterator[bytes]:
        raise EngineError("no shell")
        yield b""

    for read in (
        ExecVolume(run, "/").read_links,
        lambda: list(ExecVolume(run, "/").read_blobs([f"sha256:{'0' * 64}"])),
    ):
        with pytest.raises(EngineError):
            read()


def files_of(volume: WritableVolume, *paths: str, skip: Sequence[str] = ()) -> list[str]:
    return sorted(file.path for file in volume.list_files(*paths, skip=skip))


def test_files_are_listed_with_their_size_and_time(tree: Tree, volume: WritableVolume) -> None:
    digest = tree.blob(b"12345")
    (data,) = volume.list_files(BLOBS)
    assert (data.path, data.size) == (f"{folder_of(digest)}/data", 5)
    os.utime(tree.folder / data.path, (PUSHED.timestamp(),) * 2)
    assert [file.modified for file in volume.list_files(data.path, "missing")] == [int(PUSHED.timestamp())]
    assert not list(volume.list_files())


def test_folders_are_skipped_by_name(tree: Tree, volume: WritableVolume) -> None:
    tree.tag("a b", "1", tree.blob(b"{}"))
    upload = tree.root / "repositories/a b/_uploads/1/data"
    upload.parent.mkdir(parents=True)
    upload.touch()
    assert files_of(volume, REPOSITORIES, skip=["_manifests", "_layers"]) == [f"{REPOSITORIES}/a b/_uploads/1/data"]


def test_emptied_repositories_are_listed(tree: Tree, volume: WritableVolume) -> None:
    for name in ("a", "a/b", "c/d"):
        (tree.root / "repositories" / name / "_layers/sha256/00").mkdir(parents=True)
    (tree.root / "repositories/upload/_uploads/1").mkdir(parents=True)
    (tree.root / "repositories/.DS_Store").touch()
    assert volume.list_repositories() == ["a", "a/b", "c/d"]


def test_blobs_are_listed_by_their_folders(tree: Tree, volume: WritableVolume) -> None:
    digests = {tree.layer("a", b"one"), tree.layer("b", b"two")}
    for stray in (f"{BLOBS}/.DS_Store", f"{BLOBS}/ab/.DS_Store", f"{BLOBS}/ab/short/data"):
        path = tree.folder / stray
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    assert volume.list_blobs() == digests


def test_no_blobs_are_listed_in_an_empty_registry(volume: WritableVolume) -> None:
    assert volume.list_blobs() == set()


def test_small_files_are_read(tree: Tree, volume: WritableVolume) -> None:
    contents = {"a": b"", "b c": b"\n\n1 b\n", "d": b"sha512:1\n"}
    for name, content in contents.items():
        (tree.folder / name).write_bytes(content)
    assert dict(volume.read_files([*contents, "missing"])) == contents


def test_the_disk_usage_counts_blocks_and_not_bytes(tree: Tree, volume: WritableVolume) -> None:
    before = volume.disk_usage()
    tree.blob(b"1")
    grown = volume.disk_usage() - before
    assert grown >= 4096
    assert grown % 512 == 0


def test_files_and_folders_are_moved_and_put_back(tree: Tree, volume: WritableVolume) -> None:
    digests = [tree.blob(data) for data in (b"1", b"2", b"3")]
    folders = {"localreg/trash/1 2": [*digests[:1], f"sha256:{'0' * 64}"], "localreg/trash/3": digests[1:2]}
    volume.move_into({folder: [folder_of(digest) for digest in found] for folder, found in folders.items()})
    moved = [f"localreg/trash/{name}/{digest[7:]}/data" for name, digest in zip(("1 2", "3"), digests[:2], strict=True)]
    assert files_of(volume, BLOBS, "localreg") == sorted([f"{folder_of(digests[2])}/data", *moved])
    # The registry received one of them again.
    tree.blob(b"2")
    places = [f"{folder_of(digest)}/data" for digest in digests]
    volume.put_back([*zip(moved, places, strict=False), ("missing", "other/missing")])
    assert files_of(volume, BLOBS, "localreg", "other") == sorted(places)
    assert dict(volume.read_blobs(digests)) == dict(zip(digests, (b"1", b"2", b"3"), strict=True))


def test_a_file_whose_folder_is_taken_meanwhile_does_not_seem_to_be_back(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = FolderVolume(tree.folder)
    volume.make_file("trash/data")
    rename = os.rename

    def taken(source: Path, target: str) -> None:
        Path(target).parent.rmdir()
        rename(source, target)

    monkeypatch.setattr(os, "rename", taken)
    with pytest.raises(EngineError, match="no such file"):
        volume.put_back([("trash/data", "blobs/data")])


def test_what_cannot_be_moved_is_an_error(tree: Tree, volume: WritableVolume) -> None:
    digest = tree.blob(b"1")
    taken = tree.folder / "trash" / digest[7:]
    taken.mkdir(parents=True)
    (taken / "data").touch()
    with pytest.raises(EngineError):
        volume.move_into({"trash": [folder_of(digest)]})
    assert f"{folder_of(digest)}/data" in files_of(volume, BLOBS)


def test_removing_takes_the_empty_folders_around_it(tree: Tree, volume: WritableVolume) -> None:
    digest = tree.blob(b"1")
    volume.make_file("localreg/trash/1/2")
    volume.make_file("localreg/other")
    volume.remove(["localreg/trash/1/2", folder_of(digest), "missing/folder"])
    assert files_of(volume, "localreg", ROOT) == ["localreg/other"]
    assert not (tree.folder / "localreg/trash").exists()


def test_a_file_is_made_or_touched(tree: Tree, volume: WritableVolume) -> None:
    volume.make_file("a/b")
    os.utime(tree.folder / "a/b", (1, 1))
    volume.make_file("a/b")
    (found,) = volume.list_files("a")
    assert found.size == 0
    assert found.modified > 1


@pytest.mark.parametrize("place", ["tags", "revisions/sha256"])
def test_a_link_that_cannot_be_looked_at_is_an_error(tree: Tree, volume: Volume, place: str) -> None:
    digest = tree.blob(b"1")
    tree.tag("a", "1", digest)
    tree.revision("a", digest)
    # It leads to itself, because root could read any folder.
    broken = tree.root / f"repositories/a/_manifests/{place}/{'0' * 64}"
    broken.symlink_to(broken)
    with pytest.raises(EngineError):
        volume.read_links()


@pytest.mark.parametrize("place", ["repositories", "blobs/sha256"])
def test_a_folder_that_cannot_be_entered_is_not_an_empty_one(tree: Tree, volume: WritableVolume, place: str) -> None:
    broken = tree.root / place
    if broken.exists():
        broken.rmdir()
    broken.symlink_to(broken)
    reads: list[Callable[[], object]] = (
        [volume.list_blobs] if place == "blobs/sha256" else [volume.read_links, volume.list_repositories]
    )
    for read in reads:
        with pytest.raises(EngineError):
            read()


def test_a_file_where_a_folder_belongs_holds_no_links(tree: Tree, volume: Volume) -> None:
    wanted = tree.tag("a", "1", tree.blob(b"1"))
    for place in ("a/_manifests/tags/2/current", "b/_manifests/tags", "b/_manifests/revisions", "c/_manifests"):
        path = tree.root / "repositories" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    assert volume.read_links() == Links((wanted,), frozenset())


@pytest.mark.parametrize("program", ["find", "xargs"])
def test_a_program_that_is_killed_is_an_error_in_the_container(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / program).write_text("#!/bin/sh\nkill -9 $$\n")
    (programs / program).chmod(0o755)
    if bash := shutil.which("bash"):
        # It says nothing of a program that is killed.
        (programs / "sh").symlink_to(bash)
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    tree.tag("a", "1", tree.blob(b"1"))
    volume = ExecVolume(run_here, str(tree.folder))
    for read in (
        volume.read_links,
        *((volume.list_repositories, volume.list_blobs, lambda: list(volume.list_files(BLOBS))) * (program == "find")),
    ):
        with pytest.raises(EngineError) as failed:
            read()
        assert any("killed" in line for line in failed.value.details)


@pytest.mark.parametrize(
    ("said", "is_error"),
    [("No such file or directory", False), ("Not a directory", False), ("Permission denied", True)],
)
def test_only_a_file_that_vanished_is_no_error_in_the_container(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, *, is_error: bool
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "find").write_text(f"#!/bin/sh\necho 'find: ./a: {said}' >&2\nexit 1\n")
    (programs / "find").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    tree.blob(b"1")
    volume = ExecVolume(run_here, str(tree.folder))
    for read in (
        volume.read_links,
        volume.list_repositories,
        volume.list_blobs,
        lambda: list(volume.list_files(BLOBS)),
    ):
        with pytest.raises(EngineError) if is_error else contextlib.nullcontext():
            read()


def test_what_gives_way_runs_with_the_lowest_priority(tree: Tree) -> None:
    seen: list[int] = []

    def run(command: Sequence[str]) -> Iterator[bytes]:
        before, _, _ = command[2].partition("\n")
        seen.append(int(subprocess.run(["sh", "-c", f"{before}\nnice"], capture_output=True, check=True).stdout))
        return run_here(command)

    for gives_way in (False, True):
        ExecVolume(run, str(tree.folder), gives_way=gives_way).make_file("there")
    assert seen == [os.nice(0), 19]
