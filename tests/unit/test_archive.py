from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from localreg.archive import ArchiveKind, ImageFile, architecture, archive_kind, as_docker_archive, written_archive
from localreg.errors import InvalidArchiveError
from localreg.oci import OCI_INDEX, OCI_MANIFEST

LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def write_tar(path: Path, files: Mapping[str, bytes]) -> None:
    with tarfile.open(path, "w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def blob(files: dict[str, bytes], data: bytes) -> dict[str, Any]:
    digest = hashlib.sha256(data).hexdigest()
    files[f"blobs/sha256/{digest}"] = data
    return {"digest": f"sha256:{digest}", "size": len(data)}


def oci_archive(path: Path, *, machine: str = "", layer_type: str = LAYER, name: str = "team/app:1") -> None:
    """An OCI archive with an index of an image and an attestation."""
    files: dict[str, bytes] = {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}'}
    config = {"mediaType": "application/vnd.oci.image.config.v1+json", **blob(files, b'{"os": "linux"}')}
    layer = {"mediaType": layer_type, **blob(files, gzip.compress(b"layer"))}
    manifest = json.dumps({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": [layer]}).encode()
    platform = {"os": "linux", "architecture": machine or architecture()}
    note = {"mediaType": OCI_MANIFEST, "platform": {"os": "unknown", "architecture": "unknown"}, **blob(files, b"{}")}
    image = {"mediaType": OCI_MANIFEST, "platform": platform, **blob(files, manifest)}
    inner = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [note, image]}).encode()
    top = {
        "mediaType": OCI_INDEX,
        "annotations": {"org.opencontainers.image.ref.name": name},
        **blob(files, inner),
    }
    files["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [top]}).encode()
    write_tar(path, files)


def test_the_two_kinds_are_told_apart(tmp_path: Path) -> None:
    oci_archive(tmp_path / "oci.tar")
    assert archive_kind(tmp_path / "oci.tar") is ArchiveKind.OCI
    write_tar(tmp_path / "docker.tar", {"manifest.json": b"[]"})
    assert archive_kind(tmp_path / "docker.tar") is ArchiveKind.DOCKER
    # As `docker save` writes since release 25.
    write_tar(tmp_path / "both.tar", {"./oci-layout": b"{}", "./index.json": b"{}", "./manifest.json": b"[]"})
    assert archive_kind(tmp_path / "both.tar") is ArchiveKind.DOCKER
    (tmp_path / "small.tgz").write_bytes(gzip.compress((tmp_path / "oci.tar").read_bytes()))
    assert archive_kind(tmp_path / "small.tgz") is ArchiveKind.OCI


def test_what_is_no_archive_is_named(tmp_path: Path) -> None:
    (tmp_path / "garbage").write_bytes(b"garbage" * 1000)
    write_tar(tmp_path / "other.tar", {"hello": b"hello"})
    for path in (tmp_path / "garbage", tmp_path / "other.tar", tmp_path / "missing", tmp_path):
        with pytest.raises(InvalidArchiveError) as caught:
            archive_kind(path)
        assert str(path) in caught.value.message


def test_an_oci_archive_becomes_a_docker_archive_with_the_same_bytes(tmp_path: Path) -> None:
    oci_archive(tmp_path / "oci.tar")
    with as_docker_archive(tmp_path / "oci.tar") as converted, tarfile.open(converted) as tar:
        assert archive_kind(converted) is ArchiveKind.DOCKER
        (entry,) = json.loads(tar.extractfile("manifest.json").read())  # type: ignore[union-attr]
        assert entry["RepoTags"] == ["team/app:1"]
        assert tar.extractfile(entry["Config"]).read() == b'{"os": "linux"}'  # type: ignore[union-attr]
        assert gzip.decompress(tar.extractfile(entry["Layers"][0]).read()) == b"layer"  # type: ignore[union-attr]
    assert not converted.exists()


def test_a_name_without_a_repository_is_none(tmp_path: Path) -> None:
    oci_archive(tmp_path / "oci.tar", name="latest")
    with as_docker_archive(tmp_path / "oci.tar") as converted, tarfile.open(converted) as tar:
        assert json.loads(tar.extractfile("manifest.json").read())[0]["RepoTags"] is None  # type: ignore[union-attr]


def test_an_archive_for_another_machine_is_refused(tmp_path: Path) -> None:
    oci_archive(tmp_path / "oci.tar", machine="s390x")
    with pytest.raises(InvalidArchiveError, match="no image for linux/"), as_docker_archive(tmp_path / "oci.tar"):
        pass


def test_layers_that_an_older_engine_cannot_unpack_are_named(tmp_path: Path) -> None:
    oci_archive(tmp_path / "oci.tar", layer_type="application/vnd.oci.image.layer.v1.tar+zstd")
    with pytest.raises(InvalidArchiveError, match="zstd"), as_docker_archive(tmp_path / "oci.tar"):
        pass


def test_the_same_files_give_the_same_image(tmp_path: Path) -> None:
    (tmp_path / "program").write_bytes(b"program")
    files = [ImageFile("bin/program", tmp_path / "program", mode=0o755), ImageFile("bin/sh", link="program")]
    written = []
    for _ in range(2):
        with written_archive(files, config={"Cmd": ["/bin/program"]}, name="localhost/x:1") as archive:
            written.append(archive.read_bytes())
        assert not archive.exists()
    assert written[0] == written[1]
