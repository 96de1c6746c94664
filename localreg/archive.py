"""Image archives: telling a docker-archive from an OCI archive, turning one into the other, writing a small one."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import platform
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO, Any

from localreg.errors import InvalidArchiveError
from localreg.oci import Index, Manifest, Platform, parse_manifest

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}
_REF_NAME = "org.opencontainers.image.ref.name"
_SMALL = 8 << 20


class ArchiveKind(StrEnum):
    """The layout of an archive."""

    DOCKER = "docker-archive"
    OCI = "OCI archive"


@dataclass(frozen=True, slots=True)
class ImageFile:
    """A file, a link or a folder of an image to write."""

    name: str
    """Absolute within the image, without the first slash."""
    source: Path | bytes | None = None
    """Where its content is, or the content; None for a link or a folder."""
    link: str | None = None
    mode: int = 0o644


def architecture() -> str:
    """This machine's architecture in the words of the OCI specification."""
    machine = platform.machine()
    return _ARCHITECTURES.get(machine, machine)


def archive_kind(archive: Path) -> ArchiveKind:
    """Which of the two an archive is, compressed or not; one that is both counts as a docker-archive.

    Raises:
        InvalidArchiveError: it is neither, or cannot be read.
    """
    with _opened(archive) as tar:
        names = {member.name.removeprefix("./") for member in tar}
    if "manifest.json" in names:
        return ArchiveKind.DOCKER
    if {"oci-layout", "index.json"} <= names:
        return ArchiveKind.OCI
    raise InvalidArchiveError(f"`{archive}` is a tar file, but no image archive", hint="docker save IMAGE -o FILE")


@contextlib.contextmanager
def as_docker_archive(archive: Path) -> Iterator[Path]:
    """The image of an OCI archive as a docker-archive, for as long as the context lasts; layers stay as they are.

    Raises:
        InvalidArchiveError: it holds no image for this machine, or layers that an older engine cannot unpack.
    """
    with _opened(archive) as source, tempfile.NamedTemporaryFile(suffix=".tar") as target:
        manifest, name = _find_image(source, archive)
        if zstd := next((layer for layer in manifest.layers if layer.media_type.endswith("zstd")), None):
            raise InvalidArchiveError(f"layer {zstd.digest} of `{archive}` is zstd, which this engine cannot unpack")
        with tarfile.open(fileobj=target, mode="w") as tar:
            layers = [f"{layer.digest.partition(':')[2]}.tar" for layer in manifest.layers]
            for layer, member in zip(manifest.layers, layers, strict=True):
                data = _member(source, archive, _blob(layer.digest))
                _add(tar, member, data.size, source.extractfile(data))
            config = _read(source, archive, _blob(manifest.config.digest))
            _write_ends(tar, config, layers, name)
        target.flush()
        yield Path(target.name)


@contextlib.contextmanager
def written_archive(
    files: Sequence[ImageFile], *, config: Mapping[str, Any], name: str, created: str = "1970-01-01T00:00:00Z"
) -> Iterator[Path]:
    """A docker-archive of one layer, for as long as the context lasts; the same files give the same image.

    Args:
        files: What is in the image.
        config: The `config` object of the image's configuration.
        name: A complete reference.
        created: RFC 3339.
    """
    with tempfile.TemporaryFile() as layer, tempfile.NamedTemporaryFile(suffix=".tar") as target:
        with tarfile.open(fileobj=layer, mode="w") as tar:
            for file in files:
                _add_file(tar, file)
        digest = _digest(layer)
        whole = {
            "architecture": architecture(),
            "os": "linux",
            "created": created,
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
            "history": [{"created": created, "created_by": "localreg"}],
        }
        with tarfile.open(fileobj=target, mode="w") as tar:
            size = layer.seek(0, io.SEEK_END)
            layer.seek(0)
            _add(tar, f"{digest}.tar", size, layer)
            _write_ends(tar, json.dumps(whole, sort_keys=True).encode(), [f"{digest}.tar"], name)
        target.flush()
        yield Path(target.name)


def _write_ends(tar: tarfile.TarFile, config: bytes, layers: Sequence[str], name: str | None) -> None:
    """The config and the `manifest.json` that a docker-archive ends with."""
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


@contextlib.contextmanager
def _opened(archive: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(archive) as tar:
            yield tar
    except FileNotFoundError as exc:
        raise InvalidArchiveError(f"there is no file `{archive}`") from exc
    except (tarfile.TarError, EOFError) as exc:
        raise InvalidArchiveError(
            f"`{archive}` is no image archive", hint="docker save IMAGE -o FILE", details=[str(exc)]
        ) from exc
    except OSError as exc:
        raise InvalidArchiveError(f"cannot read `{archive}`: {(exc.strerror or str(exc)).lower()}") from exc


def _blob(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")


def _member(tar: tarfile.TarFile, archive: Path, name: str) -> tarfile.TarInfo:
    for spelling in (name, f"./{name}"):
        with contextlib.suppress(KeyError):
            return tar.getmember(spelling)
    raise InvalidArchiveError(f"`{name}` is missing in `{archive}`")


def _read(tar: tarfile.TarFile, archive: Path, name: str) -> bytes:
    member = _member(tar, archive, name)
    data = tar.extractfile(member)
    if data is None or member.size > _SMALL:
        raise InvalidArchiveError(f"`{name}` in `{archive}` is not what it should be")
    return data.read()


def _find_image(tar: tarfile.TarFile, archive: Path) -> tuple[Manifest, str | None]:
    """The image for this machine, and the complete name that the archive gives it."""
    found = parse_manifest(_read(tar, archive, "index.json"))
    name: str | None = None
    while isinstance(found, Index):
        candidates = [child for child in found.manifests if not child.is_attestation]
        wanted = Platform("linux", architecture())
        fitting = [
            child
            for child in candidates
            if child.platform is None
            or (child.platform.os, child.platform.architecture) == (wanted.os, wanted.architecture)
        ]
        if not fitting:
            raise InvalidArchiveError(f"`{archive}` holds no image for {wanted}")
        name = name or fitting[0].annotations.get(_REF_NAME)
        found = parse_manifest(_read(tar, archive, _blob(fitting[0].digest)), fitting[0].media_type)
    return found, name if name and "/" in name and ":" in name else None
