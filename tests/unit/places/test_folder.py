"""Folders with images from other people: what a link in one leads to."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from support.registries.layout_folder import LayoutFolder
from support.registries.shelf import Shelf

from localreg.cli.app import main
from localreg.errors import InvalidArchiveError
from localreg.places.content import read_content
from localreg.places.layout.entries import find_entries
from localreg.places.layout.files import Folder, read_small
from localreg.places.opened import opened_source
from localreg.places.sparse import narrow
from localreg.places.transfer import Nowhere, transfer


def put(path: Path, kind: str) -> None:
    """Something that does not end, or does not begin, in place of a file."""
    path.unlink(missing_ok=True)
    if kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()


@pytest.mark.parametrize("kind", ["device", "pipe", "folder"])
@pytest.mark.parametrize("part", ["manifest", "config"])
def test_a_link_in_a_layout_to_something_without_an_end_is_not_read(tmp_path: Path, kind: str, part: str) -> None:
    layout = LayoutFolder(tmp_path / "layout")
    manifest = Shelf(layout, "app").image("1")
    digest = manifest["digest"]
    if part == "config":
        digest = json.loads(layout.file(digest).read_bytes())["config"]["digest"]
    put(layout.file(digest), kind)
    with opened_source(layout.path) as source:
        kept, _, failed = narrow(source, find_entries(source, "layout"))
        failed += read_content(source, kept)[1]
    ((_, error),) = failed
    assert isinstance(error, InvalidArchiveError)


@pytest.mark.parametrize("kind", ["device", "pipe", "folder"])
@pytest.mark.parametrize("name", ["config.json", "layer.tar"])
def test_nor_is_one_in_an_unpacked_docker_archive(tmp_path: Path, kind: str, name: str) -> None:
    listed = [{"Config": "config.json", "RepoTags": ["app:1"], "Layers": ["layer.tar"]}]
    (tmp_path / "manifest.json").write_text(json.dumps(listed))
    (tmp_path / "config.json").write_text(json.dumps({"rootfs": {"diff_ids": [f"sha256:{'0' * 64}"]}}))
    put(tmp_path / name, kind)
    with pytest.raises(InvalidArchiveError, match=f"`{tmp_path}/{name}` is not a file"), opened_source(tmp_path):
        pass


def test_a_file_whose_size_is_not_the_truth_is_not_read_to_its_end() -> None:
    # Files of the system have a size of 0.
    path = Path("/proc/self/maps")
    if not path.exists():
        pytest.skip("this system has no files with a wrong size")
    with pytest.raises(InvalidArchiveError, match=r"`maps` in .* is too large: [0-9]+ bytes, more than 100"):
        read_small(Folder(path.parent), path.name, limit=100)


def test_a_link_to_a_file_of_other_content_is_not_loaded(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    layout = LayoutFolder(tmp_path / "layout")
    manifest = Shelf(layout, "app").image("1", layers=[b"layer"])
    layer = layout.file(json.loads(layout.file(manifest["digest"]).read_bytes())["layers"][0]["digest"])
    layer.unlink()
    layer.symlink_to(secret)
    # Of the same size, so that only its digest tells.
    secret.write_bytes(b"spoon")
    with opened_source(layout.path) as source:
        content, _ = read_content(source, find_entries(source, "layout"))
        with pytest.raises(InvalidArchiveError, match="other content than its digest tells"):
            transfer(source, Nowhere(), content)


@pytest.mark.parametrize("name", ["a" * 300, f"{'a' * 300}.000"])
def test_a_name_that_is_too_long_is_told(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["load", "--check", "-i", name]) == 2
    assert f"cannot read `{name}`: file name too long" in capsys.readouterr().err
