"""Docker-archives become layouts: the configs byte for byte, and layers as a registry stores them."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import json
import lzma
import os
import random
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from support.foreign_archives import (
    IMAGE,
    OTHER,
    File,
    Hardlink,
    Image,
    as_json,
    crane_tarball,
    docker_save,
    hexadecimal,
    podman_save,
    tar_of,
    unpack,
)

from localreg.errors import InvalidArchiveError, LocalregError
from localreg.oci.manifest import DOCKER_MANIFEST, OCI_MANIFEST, Manifest
from localreg.places.layout.entries import find_entries
from localreg.places.layout.source import LayoutSource
from localreg.places.opened import opened_source
from localreg.places.port import Blob
from localreg.places.verified import read_whole

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def written(files: Mapping[str, File], folder: Path) -> Path:
    path = folder / "x.tar"
    path.write_bytes(tar_of(files))
    return path


def images_in(path: Path) -> dict[str, tuple[Manifest, bytes, list[bytes]]]:
    """By name, the manifest, the config and the layers."""
    with opened_source(path) as source:
        return {
            entry.annotations["org.opencontainers.image.ref.name"]: whole(source, entry.digest)
            for entry in source.entries
        }


def whole(source: LayoutSource, digest: str) -> tuple[Manifest, bytes, list[bytes]]:
    manifest = source.read_manifest("", digest).content
    assert isinstance(manifest, Manifest)
    config, *layers = [
        read_whole(source, Blob(each.digest, each.size, "", is_config=False))
        for each in (manifest.config, *manifest.layers)
    ]
    return manifest, config, layers


@pytest.mark.parametrize(
    "files",
    [
        docker_save({IMAGE: ["app:1", "app:2"], OTHER: ["other:1"]}),
        podman_save({IMAGE: ["app:1", "app:2"], OTHER: ["other:1"]}),
        podman_save({IMAGE: ["app:1", "app:2"], OTHER: ["other:1"]}, link=Hardlink),
        crane_tarball({IMAGE: ["app:1", "app:2"], OTHER: ["other:1"]}),
        crane_tarball({IMAGE: ["app:1", "app:2"], OTHER: ["other:1"]}, compress=bz2.compress),
        crane_tarball({IMAGE: ["app:1", "app:2"], OTHER: ["other:1"]}, compress=lzma.compress),
    ],
    ids=["docker", "podman", "hard links", "crane", "bzip2", "xz"],
)
def test_every_shape_becomes_the_same_images(tmp_path: Path, files: dict[str, File]) -> None:
    found = images_in(written(files, tmp_path))
    assert set(found) == {"app:1", "app:2", "other:1"}
    for name, image in (("app:1", IMAGE), ("app:2", IMAGE), ("other:1", OTHER)):
        manifest, config, layers = found[name]
        assert manifest.media_type == DOCKER_MANIFEST
        assert config == image.config
        assert {layer.media_type for layer in manifest.layers} == {"application/vnd.docker.image.rootfs.diff.tar.gzip"}
        assert tuple(map(gzip.decompress, layers)) == image.layers


def test_the_same_archive_gets_the_same_digests(tmp_path: Path) -> None:
    one = images_in(written(docker_save({IMAGE: ["app:1"]}), tmp_path))
    other = images_in(written(podman_save({IMAGE: ["app:1"]}), tmp_path))
    assert one == other
    # No name and no time.
    assert one["app:1"][2][0][:8] == b"\x1f\x8b\x08\0\0\0\0\0"


def test_compressed_layers_stay_as_they_are(tmp_path: Path) -> None:
    def pack(data: bytes) -> bytes:
        return gzip.compress(data, 9, mtime=0)

    _, _, layers = images_in(written(crane_tarball({IMAGE: ["app:1"]}, compress=pack), tmp_path))["app:1"]
    assert layers == [pack(layer) for layer in IMAGE.layers]
    manifest, _, layers = images_in(written(crane_tarball({IMAGE: ["app:1"]}, compress=zstd.compress), tmp_path))[
        "app:1"
    ]
    assert layers == [zstd.compress(layer) for layer in IMAGE.layers]
    assert manifest.media_type == OCI_MANIFEST
    assert manifest.layers[0].media_type.endswith("+zstd")


def test_a_gzip_layer_of_several_members_is_whole(tmp_path: Path) -> None:
    def in_two(data: bytes) -> bytes:
        return gzip.compress(data[:1000]) + gzip.compress(data[1000:])

    _, _, layers = images_in(written(crane_tarball({IMAGE: ["app:1"]}, compress=in_two), tmp_path))["app:1"]
    assert gzip.decompress(layers[0]) == IMAGE.layers[0]


def test_an_unpacked_archive_is_read(tmp_path: Path) -> None:
    files = {name: data for name, data in podman_save({IMAGE: ["app:1"]}).items() if isinstance(data, bytes)}
    assert images_in(unpack(files, tmp_path / "folder")) == images_in(written(files, tmp_path))


def changed(edit: Callable[[dict[str, Any]], None]) -> dict[str, File]:
    """A docker-archive whose `manifest.json` is another one."""
    files = podman_save({IMAGE: ["app:1"]})
    listed = json.loads(bytes(files["manifest.json"]))  # type: ignore[arg-type]  # these are bytes
    edit(listed[0])
    return files | {"manifest.json": as_json(listed)}


LAYER = f"{hexadecimal(IMAGE.layers[0])}.tar"
CONFIG = f"{hexadecimal(IMAGE.config)}.json"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (
            podman_save({IMAGE: ["app:1"]}) | {LAYER: b"other"},
            f"layer `{LAYER}` in .* has other content than its config",
        ),
        (podman_save({IMAGE: ["app:1"]}) | {LAYER: b"\x1f\x8b" + bytes(99)}, f"layer `{LAYER}` in .* is damaged"),
        (podman_save({IMAGE: ["app:1"]}) | {LAYER: gzip.compress(IMAGE.layers[0])[:-9]}, f"`{LAYER}` in .* is damaged"),
        (podman_save({IMAGE: ["app:1"]}) | {CONFIG: b"{}"}, f"`{CONFIG}` in .* other content than its name"),
        (changed(lambda entry: entry["Layers"].pop()), "has 2 layers of an image; `.*` tells 3"),
        (changed(lambda entry: entry["Layers"].__setitem__(1, "lost")), "lacks `lost`"),
        (changed(lambda entry: entry["Layers"].__setitem__(0, "../x")), r"names a file outside of it: `\.\./x`"),
        (changed(lambda entry: entry.update(Config="/etc/hostname")), "names a file outside of it: `/etc/hostname`"),
        (changed(lambda entry: entry.pop("Config")), "`manifest.json` in .* cannot be read"),
        (podman_save({}), "contains no image"),
        ({"manifest.json": b"{}"}, "is not that of a docker-archive"),
        ({"manifest.json": b"[1]"}, "`manifest.json` in .* cannot be read"),
        ({"manifest.json": as_json([{"Config": "c", "Layers": []}]), "c": b"[]"}, "`c` in .* cannot be read"),
        ({"repositories": b"{}"}, "is not an image archive"),
    ],
)
def test_damage_is_told(tmp_path: Path, files: dict[str, File], said: str) -> None:
    with pytest.raises(InvalidArchiveError, match=said), opened_source(written(files, tmp_path)) as source:
        find_entries(source, "x.tar")


def test_a_full_disk_is_told_from_a_bad_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with (
        pytest.raises(LocalregError, match="no space left on device") as caught,
        opened_source(written(docker_save({IMAGE: ["app:1"]}), tmp_path)),
    ):
        pass
    assert not isinstance(caught.value, InvalidArchiveError)
    assert tempfile.gettempdir() in caught.value.message


def test_a_large_layer_goes_through_in_pieces(tmp_path: Path) -> None:
    noise = random.Random(1).randbytes(5 << 20)
    image = Image((tar_of({"noise": noise}), tar_of({"zeros": bytes(5 << 20)})))
    manifest, _, layers = images_in(written(docker_save({image: ["app:1"]}), tmp_path))["app:1"]
    assert tuple(map(gzip.decompress, layers)) == image.layers
    assert [layer.digest for layer in manifest.layers] == [
        f"sha256:{hashlib.sha256(data).hexdigest()}" for data in layers
    ]
