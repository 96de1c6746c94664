"""Writing docker-archives, from files or from an OCI archive that the engine does not load."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from localreg.errors import InvalidArchiveError
from localreg.oci.archive.describe import architecture, get_image
from localreg.oci.archive.files import blob_path, get_member, opened_tar, path_to, read_member, temporary_file, writing
from localreg.oci.manifest import Manifest


@dataclass(frozen=True, slots=True)
class ImageFile:
    """A file, a link or a folder of an image to write."""

    name: str
    """Absolute within the image, without the first slash."""
    source: Path | bytes | None = None
    """The content, or the path of a file with it; None for a link or a folder."""
    link: str | None = None
    mode: int = 0o644


@contextlib.contextmanager
def as_docker_archive(archive: Path) -> Iterator[Path]:
    """Convert an OCI archive to a docker-archive that lasts as long as the context; layers are not changed.

    Raises:
        InvalidArchiveError: it has no image for this machine, or layers that an older engine cannot unpack.
    """
    with temporary_file() as target:
        with opened_tar(archive) as source:
            manifest, name = get_image(source, archive)
            if zstd := next((layer for layer in manifest.layers if layer.media_type.endswith("zstd")), None):
                raise InvalidArchiveError(
                    f"layer {zstd.digest} of `{archive}` is compressed with zstd, which this engine cannot unpack"
                )
            with writing(), tarfile.open(fileobj=target, mode="w") as tar:
                _copy_image(source, archive, manifest, name, tar)
        with writing():
            target.flush()
            path = path_to(target)
        yield path


def _copy_image(
    source: tarfile.TarFile, archive: Path, manifest: Manifest, name: str | None, tar: tarfile.TarFile
) -> None:
    layers = [f"{layer.digest.partition(':')[2]}.tar" for layer in manifest.layers]
    for digest, member in {layer.digest: member for layer, member in zip(manifest.layers, layers, strict=True)}.items():
        data = get_member(source, archive, blob_path(digest))
        _add(tar, member, data.size, source.extractfile(data))
    _write_ends(tar, read_member(source, archive, blob_path(manifest.config.digest)), layers, name)


@contextlib.contextmanager
def written_archive(
    files: Sequence[ImageFile], *, config: Mapping[str, Any], name: str, created: str = "1970-01-01T00:00:00Z"
) -> Iterator[Path]:
    """Write a docker-archive of one layer that lasts as long as the context; equal files give an equal image.

    Args:
        files: The content of the image.
        config: The `config` object of the image's configuration.
        name: A complete reference.
        created: RFC 3339.
    """
    with temporary_file() as layer, temporary_file() as target:
        with writing():
            with tarfile.open(fileobj=layer, mode="w") as tar:
                for file in files:
                    _add_file(tar, file)
            digest = _digest(layer)
            size = layer.seek(0, io.SEEK_END)
            layer.seek(0)
            whole = {
                "architecture": architecture(),
                "os": "linux",
                "created": created,
                "config": config,
                "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
                "history": [{"created": created, "created_by": "localreg"}],
            }
            with tarfile.open(fileobj=target, mode="w") as tar:
                _add(tar, f"{digest}.tar", size, layer)
                _write_ends(tar, json.dumps(whole, sort_keys=True).encode(), [f"{digest}.tar"], name)
            target.flush()
            path = path_to(target)
        yield path


def _write_ends(tar: tarfile.TarFile, config: bytes, layers: Sequence[str], name: str | None) -> None:
    """Write the config and the `manifest.json`, with which a docker-archive ends."""
    member = f"{hashlib.sha256(config).hexdigest()}.json"
    _add(tar, member, len(config), io.BytesIO(config))
    entry = {"Config": member, "RepoTags": [name] if name else None, "Layers": list(layers)}
    manifest = json.dumps([entry]).encode()
    _add(tar, "manifest.json", len(manifest), io.BytesIO(manifest))


def _add(tar: tarfile.TarFile, name: str, size: int, data: IO[bytes] | None) -> None:
    member = tarfile.TarInfo(name)
    member.size = size
    tar.addfile(member, data)


def _add_file(tar: tarfile.TarFile, file: ImageFile) -> None:
    member = tarfile.TarInfo(file.name)
    member.mode = file.mode
    match file.source:
        case Path() as path:
            member.size = path.stat().st_size
            with path.open("rb") as data:
                tar.addfile(member, data)
        case bytes() as content:
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        case None:
            member.type = tarfile.SYMTYPE if file.link else tarfile.DIRTYPE
            member.linkname = file.link or ""
            tar.addfile(member)


def _digest(file: IO[bytes]) -> str:
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # any binary file will do
