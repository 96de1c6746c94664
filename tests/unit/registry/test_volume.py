"""Reading a registry's folder, directly and with the shell of a container; the tree is like Distribution's."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from localreg.errors import EngineError
from localreg.registry.volume import Volume
from localreg.registry.volume_folder import FolderVolume
from localreg.registry.volume_layout import Links, TagLink
from localreg.registry.volume_shell import ExecVolume

PUSHED = datetime(2026, 11, 1, 12, 0, 0, tzinfo=UTC)


class Tree:
    """A registry's root directory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "docker/registry/v2"
        for part in ("blobs", "repositories"):
            (self.root / part).mkdir(parents=True)

    def blob(self, data: bytes) -> str:
        encoded = hashlib.sha256(data).hexdigest()
        place = self.root / f"blobs/sha256/{encoded[:2]}/{encoded}/data"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        return f"sha256:{encoded}"

    def tag(self, repository: str, tag: str, content: str) -> TagLink:
        manifests = self.root / "repositories" / repository / "_manifests"
        for folder in (f"tags/{tag}/current", f"tags/{tag}/index/sha256/{'0' * 64}"):
            (manifests / folder).mkdir(parents=True, exist_ok=True)
            (manifests / folder / "link").write_text(content)
        (manifests.with_name("_layers") / "sha256").mkdir(parents=True, exist_ok=True)
        os.utime(manifests / "tags" / tag / "current/link", (PUSHED.timestamp(),) * 2)
        return TagLink(repository, tag, content or None, PUSHED)

    def revision(self, repository: str, digest: str) -> tuple[str, str]:
        algorithm, _, encoded = digest.partition(":")
        folder = self.root / "repositories" / repository / "_manifests/revisions" / algorithm / encoded
        folder.mkdir(parents=True)
        (folder / "link").write_text(digest)
        return repository, digest


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def run_here(command: Sequence[str]) -> Iterator[bytes]:
    """Run a command of a container on this machine, and return its output in small pieces."""
    done = subprocess.run(command, capture_output=True, check=True)
    for start in range(0, len(done.stdout), 7):
        yield done.stdout[start : start + 7]


@pytest.fixture(params=["folder", "exec"])
def volume(request: pytest.FixtureRequest, tree: Tree) -> Volume:
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
