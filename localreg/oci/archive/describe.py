"""The kind of an image archive, docker-archive or OCI archive, and the image in it."""

from __future__ import annotations

import contextlib
import json
import platform
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from localreg.errors import InvalidArchiveError, InvalidReferenceError, RegistryError
from localreg.oci.archive.files import HOW_TO_SAVE, blob_path, ends_early, opened_tar, read_end, read_member
from localreg.oci.manifest import UNREADABLE, Descriptor, Index, Manifest, Platform, parse_manifest
from localreg.oci.reference import parse_reference

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}
# Docker and containerd write the whole name into the first; the second may hold a tag alone.
_NAMES = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
_DEEPEST_INDEX = 4


class ArchiveKind(StrEnum):
    """The layout of an archive."""

    DOCKER = "docker-archive"
    OCI = "OCI archive"


@dataclass(frozen=True, slots=True)
class Archive:
    """An image archive on disk, with one image in it."""

    path: Path
    kind: ArchiveKind
    has_many_entries: bool = False
    """An OCI archive whose outermost index has several entries, for platforms or tags; Podman does not load it."""


def describe_archive(path: Path) -> Archive:
    """Find out the kind of an archive; one of both kinds counts as a docker-archive.

    Raises:
        InvalidArchiveError: it is neither, holds several images, ends early, or cannot be read.
    """
    with opened_tar(path) as tar:
        names = {member.name.removeprefix("./") for member in tar}
        end = read_end(tar, path)
        if end:
            raise ends_early(path)
        if "manifest.json" in names:
            _check_docker_archive(tar, path)
            return Archive(path, ArchiveKind.DOCKER)
        if {"oci-layout", "index.json"} <= names:
            images = _list_images(tar, path)
            return Archive(path, ArchiveKind.OCI, has_many_entries=len(images) > 1)
    if end is not None:
        raise ends_early(path)
    raise InvalidArchiveError(f"`{path}` is a tar file, but not an image archive", hint=HOW_TO_SAVE)


def _check_docker_archive(tar: tarfile.TarFile, path: Path) -> None:
    try:
        configs = {
            entry["Config"]: entry.get("RepoTags") or ()
            for entry in json.loads(read_member(tar, path, "manifest.json"))
        }
        names = [names[0] if names else "one without a name" for names in configs.values()]
    except UNREADABLE as exc:
        raise InvalidArchiveError(f"`manifest.json` in `{path}` cannot be read", details=[str(exc)]) from exc
    _refuse_other_than_one(path, names)


def _list_images(tar: tarfile.TarFile, path: Path) -> list[Descriptor]:
    """The entries of the outermost index of an OCI archive: one image, for one platform or several."""
    found = _parse(read_member(tar, path, "index.json"), path)
    images = [child for child in found.manifests if not child.is_attestation] if isinstance(found, Index) else []
    by_digest = {child.digest: child.annotations.get(_NAMES[1], "one without a name") for child in images}
    _refuse_other_than_one(path, list(dict.fromkeys(by_digest.values())))
    return images


def _refuse_other_than_one(path: Path, names: Sequence[str]) -> None:
    if not names:
        raise InvalidArchiveError(f"`{path}` contains no image", hint=HOW_TO_SAVE)
    if len(names) > 1:
        raise InvalidArchiveError(
            f"`{path}` must contain one image, but has {len(names)} images: {', '.join(names)}", hint=HOW_TO_SAVE
        )


def architecture() -> str:
    """This machine's architecture as the OCI specification spells it."""
    machine = platform.machine()
    return _ARCHITECTURES.get(machine, machine)


def get_image(tar: tarfile.TarFile, archive: Path) -> tuple[Manifest, str | None]:
    """The image for this machine, and its name in the archive."""
    wanted = Platform("linux", architecture())
    candidates = _list_images(tar, archive)
    name = next(filter(None, map(_name_of, candidates)), None)
    for _ in range(_DEEPEST_INDEX):
        fitting = next((child for child in candidates if _fits(child, wanted)), None)
        if fitting is None:
            raise InvalidArchiveError(f"`{archive}` contains no image for {wanted}")
        found = _parse(read_member(tar, archive, blob_path(fitting.digest)), archive, fitting.media_type)
        if isinstance(found, Manifest):
            return found, name
        candidates = [child for child in found.manifests if not child.is_attestation]
    raise InvalidArchiveError(f"the indexes in `{archive}` are nested too deeply")


def _fits(child: Descriptor, wanted: Platform) -> bool:
    found = child.platform
    return found is None or (found.os, found.architecture) == (wanted.os, wanted.architecture)


def _name_of(image: Descriptor) -> str | None:
    """A complete name with a tag; None for anything else that an archive may contain."""
    for key in _NAMES:
        with contextlib.suppress(InvalidReferenceError):
            reference = parse_reference(image.annotations.get(key, ""))
            if reference.tag and not reference.digest:
                return str(reference)
    return None


def _parse(data: bytes, archive: Path, media_type: str | None = None) -> Manifest | Index:
    try:
        return parse_manifest(data, media_type)
    except RegistryError as exc:
        raise InvalidArchiveError(f"an index or a manifest in `{archive}` cannot be read", details=exc.details) from exc
