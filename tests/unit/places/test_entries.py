"""The names that an archive's images get, and indexes of which it has only a part."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from support.foreign_archives import IMAGE, OTHER, Image, LayoutFiles, layer, tar_of

from localreg.errors import InvalidArchiveError
from localreg.oci.api import StoredManifest
from localreg.oci.manifest import OCI_INDEX
from localreg.oci.reference import Reference
from localreg.places.content import read_content
from localreg.places.layout.entries import find_entries
from localreg.places.opened import opened_source
from localreg.places.port import Wanted
from localreg.places.sparse import narrow
from localreg.system.command_line import CommandLine


def entries(files: LayoutFiles, folder: Path, as_: str | None = None) -> list[str]:
    """The names of what is found."""
    path = folder / "x.tar"
    path.write_bytes(tar_of(files.all))
    name, _, tag = (as_ or "").partition(":")
    with opened_source(path) as source:
        found = find_entries(source, "x.tar", as_=Reference(None, name, tag or None) if as_ else None)
        return [str(each) for each in found]


@pytest.mark.parametrize(
    ("annotations", "name"),
    [
        ({"full": "docker.io/library/alpine:3", "ref": "3"}, "alpine:3"),
        ({"full": "index.docker.io/library/alpine:3"}, "alpine:3"),
        ({"full": "docker.io/me/app:1"}, "me/app:1"),
        ({"ref": "ghcr.io/me/app:1"}, "me/app:1"),
        ({"ref": "localhost:5000/team/app:1"}, "team/app:1"),
        ({"ref": "localhost/app:latest"}, "app:latest"),
        ({"ref": "team/app"}, "team/app:latest"),
        ({"ref": "app:1"}, "app:1"),
    ],
)
def test_the_host_of_another_registry_is_dropped(tmp_path: Path, annotations: dict[str, str], name: str) -> None:
    files = LayoutFiles()
    assert entries(files.add(files.image(), **annotations), tmp_path) == [name]


@pytest.mark.parametrize(("ref", "hint"), [("1.0", "NAME:1.0"), ("UPPER/Case", "NAME:TAG"), ("", "NAME:TAG")])
def test_an_image_without_a_name_needs_one(tmp_path: Path, ref: str, hint: str) -> None:
    files = LayoutFiles()
    files.add(files.image(), ref=ref)
    with pytest.raises(InvalidArchiveError, match=r"`x\.tar` does not tell the name") as caught:
        entries(files, tmp_path)
    assert caught.value.hint == CommandLine("load", "-i", "x.tar", "--as", hint)
    assert entries(files, tmp_path, "mine") == ["mine:1.0" if ref == "1.0" else "mine:latest"]
    assert entries(files, tmp_path, "mine:2") == ["mine:2"]


def test_tags_of_one_repository_are_kept(tmp_path: Path) -> None:
    files = LayoutFiles()
    files.add(files.image(), ref="app:1").add(files.image(OTHER), ref="app:2").add(files.image(), ref="app:1")
    assert entries(files, tmp_path) == ["app:1", "app:2"]
    assert entries(files, tmp_path, "mine") == ["mine:1", "mine:2"]
    with pytest.raises(InvalidArchiveError, match=r"`--as mine:3` names one image; `x\.tar` has 2"):
        entries(files, tmp_path, "mine:3")


def test_another_name_does_not_mix_repositories(tmp_path: Path) -> None:
    files = LayoutFiles()
    files.add(files.image(), ref="app:1").add(files.image(OTHER), ref="other:1")
    with pytest.raises(InvalidArchiveError, match=r"--as needs an archive with one image; `x\.tar` has 2"):
        entries(files, tmp_path, "mine")
    # Two names of one image are no other than one.
    files = LayoutFiles()
    files.add(files.image(), ref="app:1").add(files.image(), ref="other:2")
    assert entries(files, tmp_path, "mine") == ["mine:1"]


def test_two_images_of_one_name_are_refused(tmp_path: Path) -> None:
    files = LayoutFiles()
    files.add(files.image(), ref="app:1").add(files.image(OTHER), full="docker.io/library/app:1")
    with pytest.raises(InvalidArchiveError, match=r"`x\.tar` has two images with the name `app:1`"):
        entries(files, tmp_path)


def test_an_empty_layout_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidArchiveError, match="contains no image"):
        entries(LayoutFiles(), tmp_path)


def test_an_index_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    files = LayoutFiles()
    (tmp_path / "index.json").touch()
    with (tmp_path / "index.json").open("r+b") as file:
        file.truncate(1 << 40)
    with pytest.raises(InvalidArchiveError, match=r"`index\.json` in .* is too large"), opened_source(tmp_path):
        pass
    assert files.entries == []


@pytest.mark.parametrize("depth", [3, 40, sys.getrecursionlimit() + 100])
def test_indexes_in_indexes_end(tmp_path: Path, depth: int) -> None:
    files = LayoutFiles()
    found = files.image()
    for _ in range(depth):
        found = files.index(found)
    path = tmp_path / "x.tar"
    path.write_bytes(tar_of(files.add(found, ref="app:1").all))
    with opened_source(path) as source:
        wanted, narrowed, failed = narrow(source, [Wanted("", found["digest"], "app", "1")])
        assert (narrowed, failed) == ([], [])
        content, unread = read_content(source, wanted)
    if depth < 100:
        assert (len(content.manifests), unread) == (depth + 1, [])
    else:
        ((_, error),) = unread
        assert "manifests refer to one another on more than 100 levels" in error.message


def test_indexes_that_list_one_another_often_are_looked_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = LayoutFiles()
    found = files.image()
    for _ in range(12):
        found = files.index(*[found] * 10)
    path = tmp_path / "x.tar"
    path.write_bytes(tar_of(files.add(found, ref="app:1").all))
    with opened_source(path) as source:
        read, left = source.read_manifest, iter(range(100))

        def counting(repository: str, reference: str) -> StoredManifest:
            # It ends with an error, where it would not end.
            next(left)
            return read(repository, reference)

        monkeypatch.setattr(source, "read_manifest", counting)
        assert narrow(source, [Wanted("", found["digest"], "app", "1")])[1:] == ([], [])


@pytest.mark.parametrize("is_index", [True, False])
def test_many_names_of_one_manifest_are_looked_up_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_index: bool
) -> None:
    files = LayoutFiles()
    image = files.image()
    found = files.index(image) if is_index else {**image, "mediaType": OCI_INDEX}
    for number in range(100):
        files.add(found, ref=f"app:{number}")
    path = tmp_path / "x.tar"
    path.write_bytes(tar_of(files.all))
    with opened_source(path) as source:
        read, counted = source.read_manifest, list[str]()

        def counting(repository: str, reference: str) -> StoredManifest:
            counted.append(reference)
            return read(repository, reference)

        monkeypatch.setattr(source, "read_manifest", counting)
        kept, narrowed, failed = narrow(source, find_entries(source, "x.tar"))
    assert (len(kept), len(failed)) == ((100, 0) if is_index else (0, 100))
    assert narrowed == []
    assert all(f"`{name}`" in error.message for name, error in failed)
    assert len(counted) < 5


@pytest.mark.parametrize("lost", ["image", "config", "layer"])
def test_an_image_without_a_part_is_not_whole(tmp_path: Path, lost: str) -> None:
    files = LayoutFiles()
    whole, broken = files.image(), files.image(Image((layer("arm"),), "arm64"))
    before = set(files.files)
    if lost == "image":
        files.without(broken)
    else:
        arm = LayoutFiles()
        arm.image(Image((layer("arm"),), "arm64"))
        names = [name for name in arm.files if name.startswith("blobs/")]
        del files.files[names[0 if lost == "config" else 1]]
    assert len(before - set(files.files)) == 1
    index = files.index(whole, broken)
    path = tmp_path / "x.tar"
    path.write_bytes(tar_of(files.add(index, ref="app:1").all))
    with opened_source(path) as source:
        wanted, narrowed, failed = narrow(source, find_entries(source, "x.tar"))
    assert [each.reference for each in wanted] == [whole["digest"]]
    assert [(each.index, failed) for each in narrowed] == [(index["digest"], [])]


def test_nothing_of_an_index_is_told(tmp_path: Path) -> None:
    files = LayoutFiles()
    image, arm = files.image(IMAGE), files.image(Image((layer("arm"),), "arm64"))
    attestation = files.attestation(image)
    for each in (image, arm, attestation):
        files.without(each)
    path = tmp_path / "x.tar"
    path.write_bytes(tar_of(files.add(files.index(image, arm, attestation), ref="app:1").all))
    with opened_source(path) as source:
        _, _, ((_, error),) = narrow(source, find_entries(source, "x.tar"))
    assert error.message == "`app:1` is not whole: the archive lacks linux/amd64, linux/arm64, an attestation"
