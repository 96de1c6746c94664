"""Tar files as archives have them: cut, damaged or strange."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest
from support.foreign_archives import Hardlink, Symlink, tar_of

from localreg.errors import InvalidArchiveError
from localreg.places.layout import tar as module
from localreg.places.layout.tar import Tar
from localreg.places.seekable import Parts

DATA = b"data" * 500


def opened(data: bytes, path: Path) -> Tar:
    path.write_bytes(data)
    return Tar(Parts([os.open(path, os.O_RDONLY)]), "x.tar")


def with_member(member: tarfile.TarInfo, *, after: int = 0) -> bytes:
    """A tar file with a good file, and then this one."""
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as tar:
        good = tarfile.TarInfo("good")
        good.size = len(DATA)
        tar.addfile(good, io.BytesIO(DATA))
    return output.getvalue()[: 512 + 2048] + member.tobuf(tarfile.GNU_FORMAT) + bytes(after)


def test_links_lead_to_their_file(tmp_path: Path) -> None:
    tar = opened(
        tar_of(
            {
                "a/layer.tar": DATA,
                "b/layer.tar": Symlink("../a/layer.tar"),
                "c/layer.tar": Symlink("../b/layer.tar"),
                "d.tar": Hardlink("./a/layer.tar"),
                "lost": Symlink("elsewhere"),
                "loop": Symlink("loop"),
            }
        ),
        tmp_path / "x",
    )
    for name in ("a/layer.tar", "b/layer.tar", "c/layer.tar", "d.tar"):
        assert b"".join(tar.read(name)) == DATA
        assert tar.size(name) == len(DATA)
    for name in ("lost", "loop", "nothing"):
        assert name not in tar
        with pytest.raises(InvalidArchiveError, match=rf"^`x\.tar` lacks `{name}`$"):
            list(tar.read(name))


def test_the_last_of_two_files_counts(tmp_path: Path) -> None:
    tar = opened(tar_of({"a": b"old"})[:1024] + tar_of({"a": DATA}), tmp_path / "x")
    assert b"".join(tar.read("a")) == DATA


@pytest.mark.parametrize("name", ["index.json", "manifest.json"])
def test_two_lists_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidArchiveError, match=f"two files `{name}`"):
        opened(tar_of({name: b"old"})[:1024] + tar_of({name: DATA}), tmp_path / "x")


def test_names_that_lead_elsewhere_are_only_names(tmp_path: Path) -> None:
    tar = opened(tar_of({"/etc/passwd": b"1", "../up": b"2", "./a//b": b"3", "a/../c": b"4"}), tmp_path / "x")
    assert {name for name in ("etc/passwd", "up", "a/b", "c") if name in tar} == {"a/b", "c"}


@pytest.mark.parametrize(
    ("length", "said"),
    [
        (512 + 1000, "1000 bytes of `blobs/one`"),
        (512 + 2048 + 300, "all after its first 2860 bytes"),
        (512 + 2048 + 512 + 1, "1999 bytes of `blobs/two`"),
    ],
)
def test_a_cut_file_tells_where(tmp_path: Path, length: int, said: str) -> None:
    whole = tar_of({"blobs/one": DATA, "blobs/two": DATA})
    with pytest.raises(InvalidArchiveError, match=rf"^`x\.tar` ends early: it lacks {said}$"):
        opened(whole[:length], tmp_path / "x")


def test_a_file_that_was_cut_between_two_tells_what_it_lacks(tmp_path: Path) -> None:
    tar = opened(tar_of({"one": DATA, "two": DATA})[: 512 + 2048], tmp_path / "x")
    assert b"".join(tar.read("one")) == DATA
    with pytest.raises(InvalidArchiveError, match=r"^`x\.tar` ends early: it lacks `two`$"):
        list(tar.read("two"))


def test_damage_in_the_middle_is_not_its_end(tmp_path: Path) -> None:
    whole = bytearray(tar_of({"one": DATA, "two": DATA}))
    whole[2560:2570] = b"\xff" * 10
    with pytest.raises(InvalidArchiveError, match=r"damaged: no file begins at byte 2560"):
        opened(bytes(whole), tmp_path / "x")


def test_a_sparse_file_is_refused(tmp_path: Path) -> None:
    member = tarfile.TarInfo("holes")
    member.type = tarfile.GNUTYPE_SPARSE
    with pytest.raises(InvalidArchiveError, match=r"sparse file, `holes`.*--sparse"):
        opened(with_member(member, after=1024), tmp_path / "x")


def test_a_header_does_not_fill_the_memory(tmp_path: Path) -> None:
    member = tarfile.TarInfo("long")
    member.type, member.size = tarfile.GNUTYPE_LONGNAME, 2 << 20
    with pytest.raises(InvalidArchiveError, match="header of it is too large"):
        opened(with_member(member), tmp_path / "x")


def test_many_files_do_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_MEMBERS", 3)
    assert "2" in opened(tar_of({str(number): b"" for number in range(3)}), tmp_path / "x")
    with pytest.raises(InvalidArchiveError, match="more than 3 files"):
        opened(tar_of({str(number): b"" for number in range(4)}), tmp_path / "x")


@pytest.mark.parametrize("data", [b"", b"garbage" * 1000])
def test_a_file_that_is_not_a_tar_file(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(InvalidArchiveError, match=r"^`x\.tar` is not an image archive"):
        opened(data, tmp_path / "x")
