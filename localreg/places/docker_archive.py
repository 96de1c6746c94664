"""Docker-archives, as `docker save` wrote them before release 25, and `podman save`, skopeo and crane still do.

They have configs and layers, but no manifests. A registry needs manifests, with the digests of compressed layers, and
these are only known once the layers are compressed. So this makes an OCI layout of the archive: with the configs byte
for byte, a manifest of Docker's type for each image, and a temporary file with the layers that are not compressed yet.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Event
from typing import Any

from localreg.errors import InvalidArchiveError
from localreg.oci.archive.files import blob_path, temporary_file
from localreg.oci.digest import digest_of
from localreg.oci.manifest import DOCKER_MANIFEST as DOCKER
from localreg.oci.manifest import OCI_INDEX, OCI_MANIFEST, UNREADABLE
from localreg.places.layer import Layer, pack
from localreg.places.layout.files import DOCKER_MANIFEST, INDEX, Files, read_small
from localreg.places.layout.names import REF_NAME
from localreg.places.spool import Spool
from localreg.system.at_once import do_at_once
from localreg.system.command_line import Sentence

_LARGEST_CONFIG = 8 << 20
_WORKERS = min(os.cpu_count() or 1, 8)
"""Each holds a few megabytes."""
_TYPES = {
    DOCKER: ("application/vnd.docker.container.image.v1+json", "application/vnd.docker.image.rootfs.diff.tar.gzip"),
    OCI_MANIFEST: ("application/vnd.oci.image.config.v1+json", "application/vnd.oci.image.layer.v1.tar+gzip"),
}
"""For each type of manifest, those of its config and of its layers."""
_ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"


@dataclass(frozen=True, slots=True)
class _Image:
    """An image of the archive."""

    config: str
    """The name of the file with its config."""
    digest: str
    """That of the config."""
    layers: Mapping[str, str]
    """By the digest of what is in a layer, the name of its file."""
    order: Sequence[str]
    """The digests of what is in each layer; one may occur twice."""
    names: Sequence[str]


@contextlib.contextmanager
def as_layout(archive: Files) -> Iterator[Files]:
    """Make an OCI layout of a docker-archive, which lasts as long as the context.

    Raises:
        InvalidArchiveError: it is cut or damaged, or a layer is not what its config tells.
        LocalregError: the temporary file cannot be written.
    """
    images = _read_images(archive)
    with temporary_file() as file:
        spool = Spool(file)
        wanted = dict(item for image in images for item in image.layers.items())
        stop = Event()
        packed = do_at_once(
            lambda layer: pack(archive, spool, *layer, stop), list(wanted.items()), workers=_WORKERS, stop=stop
        )
        layers = dict(zip(wanted, packed, strict=True))
        yield _Layout(archive, images, layers, spool)


class _Layout:
    """The files of an OCI layout that is made of a docker-archive."""

    def __init__(self, archive: Files, images: Sequence[_Image], layers: Mapping[str, Layer], spool: Spool) -> None:
        self._archive = archive
        self._files: dict[str, tuple[int, Callable[[], Iterator[bytes]]]] = {}
        for layer in layers.values():
            read = partial(archive.read, layer.name) if layer.pieces is None else partial(spool.read, layer.pieces)
            self._files[blob_path(layer.digest)] = layer.size, read
        entries = [entry for image in images for entry in self._entries(image, layers)]
        self._add(INDEX, json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode())

    def __str__(self) -> str:
        return str(self._archive)

    def __contains__(self, name: object) -> bool:
        return name in self._files

    def size(self, name: str) -> int:
        """Bytes of a file."""
        return self._files[name][0]

    def read(self, name: str) -> Iterator[bytes]:
        """The bytes of a file."""
        return self._files[name][1]()

    def _add(self, name: str, data: bytes) -> None:
        self._files[name] = len(data), lambda: iter((data,))

    def _entries(self, image: _Image, layers: Mapping[str, Layer]) -> Iterator[dict[str, Any]]:
        """Add an image; yields what the index says of it, once for each of its names."""
        packed = [layers[each] for each in image.order]
        self._files[blob_path(image.digest)] = (
            self._archive.size(image.config),
            partial(self._archive.read, image.config),
        )
        # Docker has no type for layers that are compressed with Zstandard.
        kind = OCI_MANIFEST if any(layer.is_zstd for layer in packed) else DOCKER
        config_type, layer_type = _TYPES[kind]
        manifest = {
            "schemaVersion": 2,
            "mediaType": kind,
            "config": {"mediaType": config_type, "size": self._archive.size(image.config), "digest": image.digest},
            "layers": [
                {"mediaType": _ZSTD if layer.is_zstd else layer_type, "size": layer.size, "digest": layer.digest}
                for layer in packed
            ],
        }
        data = json.dumps(manifest, separators=(",", ":")).encode()
        digest = digest_of(data)
        self._add(blob_path(digest), data)
        entry = {"mediaType": kind, "size": len(data), "digest": digest}
        for name in image.names:
            yield {**entry, "annotations": {REF_NAME: name}}
        if not image.names:
            yield entry


def _read_images(archive: Files) -> list[_Image]:
    data = read_small(archive, DOCKER_MANIFEST)
    try:
        listed = json.loads(data)
        if not isinstance(listed, list):
            raise InvalidArchiveError(
                f"`{DOCKER_MANIFEST}` in {archive} is not that of a docker-archive",
                hint=Sentence("copy a `dir:` of skopeo to an `oci:` first"),
            )
        found = [
            (str(entry["Config"]), list(map(str, entry["Layers"] or ())), list(map(str, entry.get("RepoTags") or ())))
            for entry in listed
        ]
    except UNREADABLE as exc:
        raise InvalidArchiveError(
            f"`{DOCKER_MANIFEST}` in {archive} cannot be read", details=[f"{type(exc).__name__}: {exc}"]
        ) from exc
    return [_read_image(archive, *entry) for entry in found]


def _read_image(archive: Files, config: str, files: Sequence[str], names: Sequence[str]) -> _Image:
    for name in (config, *files):
        if os.path.normpath(name).startswith(("/", "..")):
            raise InvalidArchiveError(f"`{DOCKER_MANIFEST}` in {archive} names a file outside of it: `{name}`")
    config, *files = map(os.path.normpath, (config, *files))
    data = read_small(archive, config, limit=_LARGEST_CONFIG)
    hexadecimal = config.rpartition("/")[2].removesuffix(".json").removeprefix("sha256:")
    if len(hexadecimal) == hashlib.sha256().digest_size * 2 and f"sha256:{hexadecimal}" != digest_of(data):
        raise InvalidArchiveError(f"`{config}` in {archive} has other content than its name tells")
    try:
        digests = [str(digest) for digest in json.loads(data)["rootfs"]["diff_ids"] or ()]
    except UNREADABLE as exc:
        raise InvalidArchiveError(
            f"`{config}` in {archive} cannot be read", details=[f"{type(exc).__name__}: {exc}"]
        ) from exc
    if len(digests) != len(files):
        raise InvalidArchiveError(f"{archive} has {len(files)} layers of an image; `{config}` tells {len(digests)}")
    return _Image(config, digest_of(data), dict(zip(digests, files, strict=True)), digests, names)
