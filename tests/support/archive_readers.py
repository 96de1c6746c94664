"""Other programs that read what `localreg save` writes, and what becomes of it in them.

`LOCALREG_WRITE_ARCHIVES=1` keeps the outcomes of the releases that are installed; `tests/archive_page.py` shows them.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import io
import json
import platform
import re
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.engines.real import Distribution
from support.registries.shelf import Shelf
from support.registries.writer import DOCKER_CONFIG, LAYER, OCI_CONFIG, Writer

from localreg.oci.api import RegistryClient
from localreg.oci.manifest import DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, Index
from localreg.places.layout.names import REF_NAME
from localreg.places.port import Unwatched
from localreg.places.save import SavedImage, find_wanted, read_wanted, save

KEPT = Path(__file__).parent.parent / "archive_readers.json"
LOCATION = "localhost:5000"
YES = "yes"
PLATFORM = "this platform"
_DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
_HERE = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]

CONTENTS: Mapping[str, Sequence[str]] = {
    "image": ["one/image:1"],
    "Docker types": ["docker/types:1"],
    "two platforms": ["two/platforms:1"],
    "signature": ["signed/image:1"],
    "SBOM": ["described/image:1"],
    "Helm chart": ["charts/app:1"],
    "two tags": ["two/tags:1", "two/tags:2"],
    "two repositories": ["one/image:1", "two/tags:1"],
    "digest, tag": ["one/image@", "two/tags:1"],
}
"""What is saved, for each archive; the digest after an `@` is that of the tag `1`."""

_WHY = {
    "more than one image in oci": "takes an archive with one name",
    "no descriptor found for reference": "finds OCI types only",
    "Instructed to preserve digests": "drops `artifactType`",
    "blobs/json: no such file or directory": "needs the containerd store",
    "unsupported image-specific operation on artifact": "takes images only",
    "processing tar file(unexpected EOF)": "takes images only",
    "exhausting input failed (error: unexpected EOF)": "takes images only",
    "mismatched image rootfs and manifest layers": "unpacks it as an image",
    "no match for platform in manifest": "unpacks it as an image",
    "descriptor does not point to ispec.MediaTypeImageManifest": "takes OCI types only",
    "tag is ambiguous": "takes an image for one platform",
    "unsupported rootfs.type": "takes images only",
    "config blob is not correct mediatype": "takes images only",
    "consider --index": "takes a layout with one name",
}
"""A part of what a program says, and the reason in a few words."""


class RefusedError(Exception):
    """The program does not read it; the message says why."""


@dataclass(frozen=True)
class Archive:
    """An archive that localreg wrote."""

    path: Path
    registry: str
    """One to push into, such as `127.0.0.1:5000`."""
    images: Sequence[SavedImage]
    platform_digest: str
    """That of the image for this machine, if there are several."""

    @functools.cached_property
    def folder(self) -> Path:
        """What is in it, unpacked."""
        folder = self.path.with_suffix("")
        folder.mkdir()
        _run("tar", "-xf", self.path, "-C", folder)
        return folder

    def judge(self, image: SavedImage, digest: str) -> str:
        """What a digest in the program says of what it took."""
        if digest == image.name.digest:
            return YES
        return PLATFORM if digest == self.platform_digest else "another digest"


def fill(base_url: str) -> None:
    """Put all contents into a registry, with layers that engines unpack."""
    writer = Writer(base_url)
    _image(writer, "one/image", "1")
    _image(writer, "docker/types", "1", docker=True)
    images = [
        {**_image(writer, "two/platforms", architecture=name), "platform": {"os": "linux", "architecture": name}}
        for name in ("amd64", "arm64")
    ]
    children = [*images, *map(Shelf(writer, "two/platforms").attestation, images)]
    writer.manifest("two/platforms", "1", {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children})
    Shelf(writer, "signed/image").signature(_image(writer, "signed/image", "1")["digest"])
    Shelf(writer, "described/image").sbom(_image(writer, "described/image", "1"), listed=True)
    Shelf(writer, "charts/app").chart("1")
    for tag in ("1", "2"):
        _image(writer, "two/tags", tag)


def _image(
    writer: Writer, repository: str, tag: str = "", *, architecture: str = _HERE, docker: bool = False
) -> dict[str, Any]:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        name = tarfile.TarInfo(repository.replace("/", "-"))
        name.size = 1 << 10
        tar.addfile(name, io.BytesIO(bytes(name.size)))
    layer = content.getvalue()
    config = {
        "os": "linux",
        "architecture": architecture,
        "created": "2026-11-01T08:00:02Z",
        "config": {"Cmd": ["/nothing"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    return writer.manifest(
        repository,
        tag,
        {
            "schemaVersion": 2,
            "mediaType": DOCKER_MANIFEST if docker else OCI_MANIFEST,
            "config": writer.blob(repository, json.dumps(config).encode(), DOCKER_CONFIG if docker else OCI_CONFIG),
            "layers": [writer.blob(repository, gzip.compress(layer, mtime=0), _DOCKER_LAYER if docker else LAYER)],
        },
    )


def write_archive(registry: Distribution, names: Sequence[str], path: Path) -> Archive:
    """Save some of it."""
    with RegistryClient(registry.base_url) as client:
        return _write_archive(client, registry, names, path)


def _write_archive(client: RegistryClient, registry: Distribution, names: Sequence[str], path: Path) -> Archive:
    whole = [f"{name}{client.head_manifest(name[:-1], '1').digest}" if name.endswith("@") else name for name in names]
    wanted, missing = find_wanted(client, whole)
    place, content, failed = read_wanted(client, wanted)
    assert (missing, failed) == ((), [])
    with path.open("wb") as output:
        images = save(place, content, output, location=LOCATION, watcher=Unwatched())
    indexes = [found.content for found in content.manifests.values() if isinstance(found.content, Index)]
    here = [
        child.digest
        for index in indexes
        for child in index.manifests
        if child.platform is not None and child.platform.architecture == _HERE
    ]
    return Archive(path, registry.location, images, here[0] if here else "")


@dataclass(frozen=True)
class Reader:
    """A program that reads archives."""

    command: str
    """What is typed."""
    release: Callable[[], str]
    read: Callable[[Archive, Path], Sequence[str]]
    """The outcome for each name in an archive; the folder is for what it writes."""

    @property
    def program(self) -> str:
        return self.command.partition(" ")[0]


def outcome(reader: Reader, archive: Archive, folder: Path) -> str:
    """What becomes of an archive in a program, in a few words."""
    folder.mkdir()
    try:
        found = list(reader.read(archive, folder))
    except RefusedError as exc:
        return _reason(exc)
    assert len(found) == len(archive.images)
    alike = list(dict.fromkeys(found))
    if len(alike) == 1:
        return alike[0]
    # An image, and what is about it.
    return f"the image {found[0]}, the rest {' / '.join(alike[1:])}"


def _each(archive: Archive, read: Callable[[SavedImage], str]) -> list[str]:
    """The outcomes of a program that is told a name."""

    def tried(image: SavedImage) -> str:
        try:
            return read(image)
        except RefusedError as exc:
            return _reason(exc)

    return [tried(image) for image in archive.images]


def _reason(error: RefusedError) -> str:
    said = str(error).strip()
    known = (words for part, words in _WHY.items() if part in said)
    return f"no: {next(known, said.splitlines()[-1] if said else 'it does not say why')}"


def kept_outcomes(program: str, release: str) -> Mapping[str, str]:
    """The outcomes of this release, or of the last one before it that was tried."""
    numbers, store = _order(release)
    tried = {
        order: outcomes
        for found, outcomes in read_kept()[program].items()
        if (order := _order(found))[1] == store and order[0] <= numbers
    }
    return tried[max(tried)]


def read_kept() -> dict[str, dict[str, dict[str, str]]]:
    """By command and release, the outcome for each content."""
    found: dict[str, dict[str, dict[str, str]]] = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    return found


def keep(command: str, release: str, outcomes: Mapping[str, str]) -> None:
    """Keep the outcomes of a release."""
    kept = read_kept()
    releases = {**kept.get(command, {}), release: dict(outcomes)}
    kept[command] = {each: releases[each] for each in sorted(releases, key=_order)}
    KEPT.write_text(json.dumps({each: kept[each] for each in READERS if each in kept}, indent=1) + "\n")


def _order(release: str) -> tuple[tuple[int, ...], str]:
    """The numbers of a release, and which store it has."""
    numbers, _, store = release.partition(", ")
    return tuple(map(int, numbers.split("."))), store


def _run(*command: str | Path) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        stdin=subprocess.DEVNULL,
        cwd="/",
    )
    if done.returncode:
        raise RefusedError(f"{done.stdout}\n{done.stderr}")
    return done.stdout


def _release(*command: str) -> str:
    found = re.search(r"\d+\.\d+\.\d+", _run(*command))
    assert found, command
    return found[0]


def _written(layout: Path) -> str:
    """The digest of what a program wrote into a layout with the name `1`; oras also lists what is below it."""
    entries = json.loads((layout / "index.json").read_text())["manifests"]
    (digest,) = (entry["digest"] for entry in entries if entry.get("annotations", {}).get(REF_NAME) == "1")
    return str(digest)


def _skopeo(archive: Archive, folder: Path) -> Sequence[str]:
    def read(image: SavedImage) -> str:
        target = folder / _as_file(image)
        source = f"oci-archive:{archive.path}:{image.name}"
        _run("skopeo", "copy", "--insecure-policy", "--all", "--preserve-digests", source, f"oci:{target}:1")
        return archive.judge(image, _written(target))

    return _each(archive, read)


def _oras(archive: Archive, folder: Path) -> Sequence[str]:
    def read(image: SavedImage) -> str:
        target = folder / _as_file(image)
        source: list[str | Path] = ["--from-oci-layout-path", archive.path, str(image.name)]
        _run("oras", "cp", *source, "--to-oci-layout", f"{target}:1")
        return archive.judge(image, _written(target))

    return _each(archive, read)


def _as_file(image: SavedImage) -> str:
    """A name for a file or a folder."""
    return re.sub(r"[/:@]", "-", str(image.name))


def _crane(archive: Archive, _folder: Path) -> Sequence[str]:
    pushed = _run("crane", "push", archive.folder, f"{archive.registry}/pushed/by-crane:1").strip()
    return [archive.judge(image, pushed.partition("@")[2]) for image in archive.images]


def _crane_release() -> str:
    """That of Debian's package: the program does not know its own."""
    changes = gzip.decompress(Path("/usr/share/doc/crane/changelog.Debian.gz").read_bytes()).decode()
    return changes.partition("(")[2].partition("+")[0]


def _umoci(archive: Archive, folder: Path) -> Sequence[str]:
    def read(image: SavedImage) -> str:
        _run("umoci", "unpack", "--image", f"{archive.folder}:{image.name}", folder / _as_file(image))
        return YES

    return _each(archive, read)


def _podman_load(archive: Archive, _folder: Path) -> Sequence[str]:
    _run("podman", "load", "-i", archive.path)
    return [_in_podman(archive, image, f"{LOCATION}/{image.name}") for image in archive.images]


def _podman_pull(archive: Archive, _folder: Path) -> Sequence[str]:
    def read(image: SavedImage) -> str:
        pulled = _run("podman", "pull", "-q", f"oci-archive:{archive.path}:{image.name}").strip()
        return _in_podman(archive, image, pulled)

    return _each(archive, read)


def _in_podman(archive: Archive, image: SavedImage, name: str) -> str:
    digest = _run("podman", "image", "inspect", "--format", "{{.Digest}}", name).strip()
    asked = subprocess.run(["podman", "manifest", "exists", name], check=False, capture_output=True)
    is_list = asked.returncode == 0
    _run("podman", "rmi", "--force", name)
    # It remembers the digest of an index of which it has one image.
    return archive.judge(image, archive.platform_digest if archive.platform_digest and not is_list else digest)


def _docker(archive: Archive, _folder: Path) -> Sequence[str]:
    _run("docker", "load", "-i", archive.path)
    found = []
    for image in archive.images:
        name = f"{LOCATION}/{image.name}"
        found.append(archive.judge(image, _run("docker", "image", "inspect", "--format", "{{.Id}}", name).strip()))
        if image.is_image:
            _run("docker", "rm", _run("docker", "create", name).strip())
        _run("docker", "rmi", name)
    return found


def _docker_release() -> str:
    status = _run("docker", "info", "--format", "{{json .DriverStatus}}")
    store = ", containerd store" if "io.containerd.snapshotter" in status else ""
    return _release("docker", "version", "--format", "{{.Server.Version}}") + store


def _ctr(*options: str) -> Callable[[Archive, Path], Sequence[str]]:
    ctr = ["ctr", "--address", "/var/run/docker/containerd/containerd.sock", "--namespace", "archives"]

    def names() -> dict[str, str]:
        """The digest of each image."""
        return {line.split()[0]: line.split()[2] for line in _run(*ctr, "images", "ls").splitlines()[1:]}

    def read(archive: Archive, _folder: Path) -> Sequence[str]:
        try:
            _run(*ctr, "images", "import", *options, archive.path)
            return [archive.judge(image, names().get(f"{LOCATION}/{image.name}", "")) for image in archive.images]
        finally:
            for name in names():
                _run(*ctr, "images", "rm", "--sync", name)

    return read


READERS = {
    reader.command: reader
    for reader in (
        Reader("skopeo copy --all oci-archive:FILE:NAME", lambda: _release("skopeo", "--version"), _skopeo),
        Reader("podman load -i FILE", lambda: _release("podman", "--version"), _podman_load),
        Reader("podman pull oci-archive:FILE:NAME", lambda: _release("podman", "--version"), _podman_pull),
        Reader("docker load -i FILE", _docker_release, _docker),
        Reader("ctr images import FILE", lambda: _release("ctr", "--version"), _ctr()),
        Reader("ctr images import --no-unpack FILE", lambda: _release("ctr", "--version"), _ctr("--no-unpack")),
        Reader("umoci unpack --image FOLDER:NAME BUNDLE", lambda: _release("umoci", "--version"), _umoci),
        Reader("crane push FOLDER REFERENCE", _crane_release, _crane),
        Reader("oras cp --from-oci-layout-path FILE NAME", lambda: _release("oras", "version"), _oras),
    )
}


def installed() -> list[str]:
    """The commands whose program is here."""
    return [command for command, reader in READERS.items() if shutil.which(reader.program)]
