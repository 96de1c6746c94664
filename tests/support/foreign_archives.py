"""Archives and layouts in the shapes that other programs give them, of a few bytes each."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.registries.writer import LAYER, OCI_CONFIG

from localreg.oci.manifest import OCI_INDEX, OCI_MANIFEST

REF_NAME = "org.opencontainers.image.ref.name"
FULL_NAME = "io.containerd.image.name"


@dataclass(frozen=True)
class Symlink:
    to: str


@dataclass(frozen=True)
class Hardlink:
    to: str


File = bytes | Symlink | Hardlink


def tar_of(files: Mapping[str, File]) -> bytes:
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as tar:
        for name, file in files.items():
            member = tarfile.TarInfo(name)
            match file:
                case Symlink(to):
                    member.type, member.linkname = tarfile.SYMTYPE, to
                case Hardlink(to):
                    member.type, member.linkname = tarfile.LNKTYPE, to
                case bytes():
                    member.size = len(file)
            tar.addfile(member, io.BytesIO(file) if isinstance(file, bytes) else None)
    return output.getvalue()


def unpack(files: Mapping[str, File], folder: Path) -> Path:
    """Write files into a folder, as a layout that is not packed."""
    for name, data in files.items():
        assert isinstance(data, bytes)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def hexadecimal(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def as_json(value: object) -> bytes:
    return json.dumps(value).encode()


@dataclass(frozen=True)
class Image:
    """An image before a program packs it."""

    layers: tuple[bytes, ...]
    """Uncompressed."""
    architecture: str = "amd64"

    @property
    def config(self) -> bytes:
        diff_ids = [f"sha256:{hexadecimal(layer)}" for layer in self.layers]
        return as_json(
            {"os": "linux", "architecture": self.architecture, "rootfs": {"type": "layers", "diff_ids": diff_ids}}
        )


def layer(text: str) -> bytes:
    return tar_of({"hello": text.encode() * 1000})


# The same layer twice, as an image has it after an instruction that changes nothing.
IMAGE = Image((layer("base"), layer("app"), layer("base")))
OTHER = Image((layer("base"), layer("other")))


def docker_save(images: Mapping[Image, Sequence[str]]) -> dict[str, File]:
    """As Docker 20.10: a folder for each layer, and links to a layer that was there before."""
    files: dict[str, File] = {}
    entries = []
    first: dict[bytes, str] = {}
    for number, (image, names) in enumerate(images.items()):
        places = []
        for depth, data in enumerate(image.layers):
            folder = hexadecimal(f"{number} {depth}".encode())
            places.append(f"{folder}/layer.tar")
            files[f"{folder}/VERSION"] = b"1.0"
            files[f"{folder}/json"] = b"{}"
            files[places[-1]] = Symlink(f"../{first[data]}") if data in first else data
            first.setdefault(data, places[-1])
        config = f"{hexadecimal(image.config)}.json"
        files[config] = image.config
        entries.append({"Config": config, "RepoTags": list(names) or None, "Layers": places})
    return files | {"manifest.json": as_json(entries), "repositories": b"{}"}


def podman_save(images: Mapping[Image, Sequence[str]], *, link: type[Symlink | Hardlink] = Symlink) -> dict[str, File]:
    """As Podman and skopeo: the layers at the top, and links to them in the folders of the old format."""
    files: dict[str, File] = {}
    entries = []
    for image, names in images.items():
        places = []
        for depth, data in enumerate(image.layers):
            places.append(f"{hexadecimal(data)}.tar")
            files[places[-1]] = data
            folder = hexadecimal(image.config + bytes([depth]))
            files[f"{folder}/layer.tar"] = (
                Symlink(f"../{places[-1]}") if link is Symlink else Hardlink(f"./{places[-1]}")
            )
        config = f"{hexadecimal(image.config)}.json"
        files[config] = image.config
        entries.append({"Config": config, "RepoTags": list(names), "Layers": places})
    return files | {"manifest.json": as_json(entries)}


def crane_tarball(
    images: Mapping[Image, Sequence[str]], *, compress: Callable[[bytes], bytes] = gzip.compress
) -> dict[str, File]:
    """As `crane pull`: compressed layers, and configs that are named by their digest."""
    files: dict[str, File] = {}
    entries = []
    for image, names in images.items():
        packed = [compress(data) for data in image.layers]
        places = [f"{hexadecimal(data)}.tar.gz" for data in packed]
        config = f"sha256:{hexadecimal(image.config)}"
        files |= {config: image.config, **dict(zip(places, packed, strict=True))}
        entries.append({"Config": config, "RepoTags": list(names), "Layers": places})
    return files | {"manifest.json": as_json(entries)}


class LayoutFiles:
    """The files of an OCI layout in the making."""

    def __init__(self) -> None:
        self.files: dict[str, File] = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}
        self.entries: list[dict[str, Any]] = []

    def blob(self, data: bytes, media_type: str) -> dict[str, Any]:
        self.files[f"blobs/sha256/{hexadecimal(data)}"] = data
        return {"mediaType": media_type, "digest": f"sha256:{hexadecimal(data)}", "size": len(data)}

    def image(self, image: Image = IMAGE, *, compressed: bool = True, **fields: object) -> dict[str, Any]:
        """Add an image; returns its descriptor."""
        layers = [gzip.compress(each, mtime=0) if compressed else each for each in image.layers]
        layer_type = LAYER if compressed else LAYER.removesuffix("+gzip")
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": self.blob(image.config, OCI_CONFIG),
            "layers": [self.blob(data, layer_type) for data in layers],
            **fields,
        }
        platform = {"os": "linux", "architecture": image.architecture}
        return {**self.blob(as_json(manifest), OCI_MANIFEST), "platform": platform}

    def attestation(self, of: Mapping[str, Any]) -> dict[str, Any]:
        """What BuildKit adds to an index."""
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": self.blob(b'{"architecture":"unknown"}', OCI_CONFIG),
            "layers": [self.blob(b'{"of":"%s"}' % str(of["digest"]).encode(), "application/vnd.in-toto+json")],
        }
        return {
            **self.blob(as_json(manifest), OCI_MANIFEST),
            "platform": {"os": "unknown", "architecture": "unknown"},
            "annotations": {
                "vnd.docker.reference.digest": of["digest"],
                "vnd.docker.reference.type": "attestation-manifest",
            },
        }

    def index(self, *manifests: Mapping[str, Any]) -> dict[str, Any]:
        """Add an index; returns its descriptor."""
        return self.blob(as_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests}), OCI_INDEX)

    def add(self, descriptor: Mapping[str, Any], **annotations: str) -> LayoutFiles:
        """List something in `index.json`.

        Args:
            descriptor: The thing.
            annotations: `ref` and `full` are its two names; others are taken as they are.
        """
        keys = {"ref": REF_NAME, "full": FULL_NAME}
        found = {keys.get(key, key): value for key, value in annotations.items()}
        self.entries.append({**descriptor, **({"annotations": found} if found else {})})
        return self

    def without(self, descriptor: Mapping[str, Any]) -> LayoutFiles:
        """Take a manifest away again."""
        del self.files[f"blobs/{str(descriptor['digest']).replace(':', '/')}"]
        return self

    @property
    def all(self) -> dict[str, File]:
        """All files, `index.json` last as most programs have it."""
        return {**self.files, "index.json": as_json({"schemaVersion": 2, "manifests": self.entries})}
