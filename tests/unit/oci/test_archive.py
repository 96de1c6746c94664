from __future__ import annotations

import bz2
import gzip
import json
import lzma
import re
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.engines.oci_archives import OciArchive, docker_archive, oci_archive, write_tar

from localreg.errors import InvalidArchiveError, LocalregError
from localreg.oci.archive.describe import Archive, ArchiveKind, architecture, describe_archive
from localreg.oci.archive.files import as_plain_archive
from localreg.oci.archive.write import ImageFile, as_docker_archive, written_archive

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def converted(path: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The entry in `manifest.json`, and all files, of what an OCI archive becomes."""
    with as_docker_archive(path) as target, tarfile.open(target) as tar:
        found = {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]  # all files
    (entry,) = json.loads(found["manifest.json"])
    return entry, found


def test_the_two_kinds_are_told_apart(tmp_path: Path) -> None:
    oci, docker = oci_archive(tmp_path / "oci.tar"), docker_archive(tmp_path / "docker.tar", ["a:1"])
    assert describe_archive(oci) == Archive(oci, ArchiveKind.OCI)
    assert describe_archive(docker) == Archive(docker, ArchiveKind.DOCKER)
    # As `docker save` writes since release 25.
    both = tmp_path / "both.tar"
    write_tar(both, {"./oci-layout": b"{}", "./index.json": b"{}", "./manifest.json": b'[{"Config": "c"}]'})
    assert describe_archive(both).kind is ArchiveKind.DOCKER


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress, zstd.compress])
def test_a_compressed_archive_is_unpacked_for_the_engine(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    plain = oci_archive(tmp_path / "oci.tar")
    packed = tmp_path / "packed"
    packed.write_bytes(compress(plain.read_bytes()))
    assert describe_archive(packed).kind is ArchiveKind.OCI
    with as_plain_archive(packed) as found:
        assert found.read_bytes() == plain.read_bytes()
    assert not found.exists()
    with as_plain_archive(plain) as found:
        assert found == plain
    assert plain.exists()


def test_what_is_no_archive_is_named(tmp_path: Path) -> None:
    (tmp_path / "garbage").write_bytes(b"garbage" * 1000)
    (tmp_path / "empty").touch()
    write_tar(tmp_path / "other.tar", {"hello": b"hello"})
    write_tar(tmp_path / "half.tar", {"oci-layout": b"{}"})
    write_tar(tmp_path / "broken.tar", {"manifest.json": b"["})
    write_tar(tmp_path / "strange.tar", {"manifest.json": b"{}"})
    write_tar(tmp_path / "none.tar", {"manifest.json": b"[]"})
    write_tar(tmp_path / "no-index.tar", {"oci-layout": b"{}", "index.json": b'{"manifests": 5}'})
    for path in [*tmp_path.iterdir(), tmp_path / "missing", tmp_path]:
        with pytest.raises(InvalidArchiveError) as caught:
            describe_archive(path)
        assert str(path) in caught.value.message


@pytest.mark.parametrize("compress", [gzip.compress, zstd.compress])
def test_an_archive_that_ends_too_early_is_named(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    whole = compress(oci_archive(tmp_path / "oci.tar").read_bytes())
    (tmp_path / "half.tgz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InvalidArchiveError, match=r"half\.tgz"):
        describe_archive(tmp_path / "half.tgz")
    with pytest.raises(InvalidArchiveError, match=r"half\.tgz"), as_plain_archive(tmp_path / "half.tgz"):
        pass


@pytest.mark.parametrize("kind", ["oci", "docker"])
def test_an_archive_that_was_cut_anywhere_is_named(tmp_path: Path, kind: str) -> None:
    whole = tmp_path / "whole.tar"
    if kind == "oci":
        oci_archive(whole)
    else:
        write_tar(whole, {"c.json": b"{}", "manifest.json": b'[{"Config": "c.json"}]'})
    with tarfile.open(whole) as tar:
        last = list(tar)[-1]
    data, half = whole.read_bytes(), tmp_path / "half.tar"
    # In a file, between two, in the header of one.
    for length in (last.offset_data + 1, last.offset, last.offset + 100):
        half.write_bytes(data[:length])
        with pytest.raises(InvalidArchiveError, match=r"half\.tar` ends early"):
            describe_archive(half)
    # Only the end itself is missing.
    half.write_bytes(data[: last.offset_data + 512])
    assert describe_archive(half).kind is describe_archive(whole).kind


def test_several_images_are_refused_by_name(tmp_path: Path) -> None:
    oci = OciArchive()
    oci.add(oci.image("amd64"), "a:1").add(oci.image("arm64"), "b:1")
    for archive, names in (
        (docker_archive(tmp_path / "docker.tar", ["a:1", "a:2"], None), ["a:1"]),
        (oci.write(tmp_path / "oci.tar"), ["a:1", "b:1"]),
    ):
        with pytest.raises(InvalidArchiveError, match=" 2 ") as caught:
            describe_archive(archive)
        assert re.findall(r"\b[ab]:[12]\b", caught.value.message) == names


def test_one_image_may_have_several_names_and_platforms(tmp_path: Path) -> None:
    assert describe_archive(docker_archive(tmp_path / "docker.tar", ["a:1", "b:1"])).kind is ArchiveKind.DOCKER
    archive = OciArchive()
    archive.add(archive.image(), "a:1").add(archive.image(), "b:1")
    assert describe_archive(archive.write(tmp_path / "names.tar")).has_many_entries
    archive = OciArchive()
    archive.add(archive.image("s390x")).add(archive.image())
    path = archive.write(tmp_path / "platforms.tar")
    assert describe_archive(path).has_many_entries
    entry, found = converted(path)
    assert json.loads(found[entry["Config"]])["architecture"] == architecture()


def test_an_oci_archive_becomes_a_docker_archive_with_the_same_bytes(tmp_path: Path) -> None:
    entry, found = converted(oci_archive(tmp_path / "oci.tar"))
    assert entry["RepoTags"] == ["team/app:1"]
    assert json.loads(found[entry["Config"]]) == {"os": "linux", "architecture": architecture()}
    assert [gzip.decompress(found[layer]) for layer in entry["Layers"]] == [b"layer"]


def test_a_layer_that_occurs_twice_is_written_once(tmp_path: Path) -> None:
    archive = OciArchive()
    entry, found = converted(archive.add(archive.image(layers=2)).write(tmp_path / "oci.tar"))
    assert len(entry["Layers"]) == 2
    assert len(found) == 3


def test_a_converted_archive_is_gone_afterwards(tmp_path: Path) -> None:
    with as_docker_archive(oci_archive(tmp_path / "oci.tar")) as target:
        assert describe_archive(target).kind is ArchiveKind.DOCKER
    assert not target.exists()


@pytest.mark.parametrize(
    ("name", "expected"),
    [("registry:2.8.3", ["registry:2.8.3"]), ("latest", None), ("UPPER:1", None), (None, None)],
)
def test_only_a_name_with_a_tag_is_one(tmp_path: Path, name: str | None, expected: list[str] | None) -> None:
    assert converted(oci_archive(tmp_path / "oci.tar", name))[0]["RepoTags"] == expected


def test_the_whole_name_comes_before_the_short_one(tmp_path: Path) -> None:
    archive = OciArchive()
    archive.add(archive.image(), "1")
    archive.top[0]["annotations"]["io.containerd.image.name"] = "docker.io/library/registry:2.8.3"
    assert converted(archive.write(tmp_path / "x"))[0]["RepoTags"] == ["docker.io/library/registry:2.8.3"]


def test_an_archive_for_another_machine_is_refused(tmp_path: Path) -> None:
    archive = OciArchive()
    path = archive.add(archive.image("s390x")).write(tmp_path / "oci.tar")
    with pytest.raises(InvalidArchiveError, match=f"linux/{architecture()}"), as_docker_archive(path):
        pass


def test_layers_that_an_older_engine_cannot_unpack_are_named(tmp_path: Path) -> None:
    archive = OciArchive()
    image = archive.image(layer_type="application/vnd.oci.image.layer.v1.tar+zstd")
    path = archive.add(image).write(tmp_path / "oci.tar")
    with pytest.raises(InvalidArchiveError, match="zstd"), as_docker_archive(path):
        pass


def test_an_index_without_end_ends(tmp_path: Path) -> None:
    def nested(depth: int) -> Path:
        archive = OciArchive()
        found = archive.image()
        for _ in range(depth):
            found = archive.index(found)
        return archive.add(found).write(tmp_path / f"{depth}.tar")

    assert converted(nested(2))
    with pytest.raises(InvalidArchiveError, match=r"10\.tar"), as_docker_archive(nested(10)):
        pass


def test_a_blob_that_is_missing_is_named(tmp_path: Path) -> None:
    archive = OciArchive()
    image = archive.image()
    layer = next(name for name, data in archive.files.items() if data.startswith(b"\x1f\x8b"))
    del archive.files[layer]
    path = archive.add(image).write(tmp_path / "oci.tar")
    with pytest.raises(InvalidArchiveError, match=layer), as_docker_archive(path):
        pass


def test_an_archive_on_its_way_has_no_name_that_a_kill_could_leave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, folder = oci_archive(tmp_path / "oci.tar"), tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    with as_docker_archive(path) as target:
        assert list(folder.iterdir()) == []
        assert describe_archive(target).kind is ArchiveKind.DOCKER


def test_a_full_disk_is_told_from_a_bad_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = oci_archive(tmp_path / "oci.tar")
    full = Path("/dev/full")
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda: full.open("wb"))
    with pytest.raises(LocalregError, match="no space left on device") as caught, as_docker_archive(path):
        pass
    assert not isinstance(caught.value, InvalidArchiveError)
    assert tempfile.gettempdir() in caught.value.message
    assert caught.value.hint is not None
    assert "TMPDIR" in caught.value.hint


def test_the_same_files_give_the_same_image(tmp_path: Path) -> None:
    (tmp_path / "program").write_bytes(b"program")
    files = [ImageFile("bin/program", tmp_path / "program", mode=0o755), ImageFile("bin/sh", link="program")]
    written = []
    for _ in range(2):
        with written_archive(files, config={"Cmd": ["/bin/program"]}, name="localhost/x:1") as archive:
            written.append(archive.read_bytes())
        assert not archive.exists()
        (tmp_path / "program").touch()
    assert written[0] == written[1]
