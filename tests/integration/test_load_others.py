"""`load` on a real Distribution 2.8.3: what other programs write arrives as it is, under the right names."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from support.engines.real import Distribution
from support.foreign_archives import (
    IMAGE,
    OTHER,
    File,
    Hardlink,
    Image,
    LayoutFiles,
    crane_tarball,
    docker_save,
    layer,
    podman_save,
    tar_of,
    unpack,
)
from support.registries.writer import Writer

from localreg.errors import InvalidArchiveError
from localreg.oci.api import RegistryClient
from localreg.oci.manifest import Index, Manifest
from localreg.oci.reference import Reference
from localreg.places.content import Failed, read_content
from localreg.places.layout.entries import find_entries
from localreg.places.load import load
from localreg.places.opened import opened_source
from localreg.places.port import Unwatched
from localreg.places.sparse import narrow

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ARM = Image((layer("arm"),), "arm64")


@pytest.fixture
def client(distribution: Distribution) -> Iterator[RegistryClient]:
    with RegistryClient(distribution.base_url) as opened:
        yield opened


def packed(files: Mapping[str, File], folder: Path) -> Path:
    path = folder / "other.tar"
    path.write_bytes(tar_of(files))
    return path


def loaded(client: RegistryClient, path: Path, *, as_: Reference | None = None) -> tuple[list[str], list[str], Failed]:
    """The names of what was loaded, warnings, and what was not."""
    with opened_source(path) as source:
        wanted, narrowed, failed = narrow(source, find_entries(source, str(path), as_=as_))
        content, unread = read_content(source, wanted)
        images = load(source, content, client, watcher=Unwatched())[0]
        return [str(image.name) for image in images], list(map(str, narrowed)), [*failed, *unread]


def layers_of(client: RegistryClient, name: str) -> tuple[bytes, list[bytes]]:
    """The config and the layers as the registry has them."""
    repository, _, tag = name.partition(":")
    manifest = client.get_manifest(repository, tag).content
    assert isinstance(manifest, Manifest)
    config, *layers = [client.get_blob(repository, blob.digest) for blob in (manifest.config, *manifest.layers)]
    return config, layers


@pytest.mark.parametrize(
    "write",
    [docker_save, podman_save, lambda images: podman_save(images, link=Hardlink), crane_tarball],
    ids=["docker", "podman", "hard links", "crane"],
)
def test_docker_archives(
    client: RegistryClient, tmp_path: Path, write: Callable[[Mapping[Image, list[str]]], dict[str, File]]
) -> None:
    names = {IMAGE: ["docker.io/library/app:1", "ghcr.io/me/app:1"], OTHER: ["localhost/other:1"]}
    found, _, failed = loaded(client, packed(write(names), tmp_path))
    assert (found, failed) == (["app:1", "me/app:1", "other:1"], [])
    for name, image in (("app:1", IMAGE), ("me/app:1", IMAGE), ("other:1", OTHER)):
        config, layers = layers_of(client, name)
        assert config == image.config
        assert tuple(map(gzip.decompress, layers)) == image.layers


def buildx() -> LayoutFiles:
    """An index with attestations, as `docker buildx build --output type=oci` and `docker save` with containerd."""
    files = LayoutFiles()
    images = [files.image(), files.image(ARM)]
    index = files.index(*images, *map(files.attestation, images))
    return files.add(index, full="docker.io/library/app:1", ref="1")


def classic() -> LayoutFiles:
    """As `docker save` since release 25 with the classic store: with layers as they are, and a `manifest.json`."""
    files = LayoutFiles()
    files.files |= {"manifest.json": b"[]", "repositories": b"{}"}
    return files.add(files.image(compressed=False), full="docker.io/library/app:1", ref="1")


def skopeo() -> LayoutFiles:
    """The name was written twice: the first image has no name any longer."""
    files = LayoutFiles()
    return files.add(files.image(OTHER)).add(files.image(), ref="docker.io/library/app:1")


def crane() -> LayoutFiles:
    """Pulled twice into one folder, with `--annotate-ref`."""
    files = LayoutFiles()
    image = files.image()
    return files.add(image, ref="localhost:5000/app:1").add(image, ref="localhost:5000/app:1")


def hauler() -> LayoutFiles:
    """Images, signatures and referrers, all by the name of the image; without `oci-layout` with `--containerd`."""
    files = LayoutFiles()
    del files.files["oci-layout"]
    image, signature = files.image(), files.image(OTHER)
    referrer = files.image(ARM, subject={key: image[key] for key in ("mediaType", "digest", "size")})
    named = {"full": "index.docker.io/library/app:1", "ref": "library/app:1"}
    files.add(image, **named, kind="dev.hauler/image").add(signature, **named, kind="dev.hauler/sigs")
    return files.add(referrer, **named, kind=f"dev.hauler/referrers/{referrer['digest'][7:]}")


@pytest.mark.parametrize("write", [buildx, classic, skopeo, crane, hauler], ids=lambda write: write.__name__)
def test_layouts(client: RegistryClient, tmp_path: Path, write: Callable[[], LayoutFiles]) -> None:
    files = write()
    found, warnings, failed = loaded(client, packed(files.all, tmp_path))
    named = [entry for entry in files.entries if "annotations" in entry]
    assert (found[0], warnings, failed) == ("app:1", [], [])
    assert client.head_manifest("app", "1").digest == named[0]["digest"]
    if write is hauler:
        tag = f"{named[0]['digest'].replace(':', '-')}.sig"
        assert client.head_manifest("app", tag).digest == named[1]["digest"]
        assert client.head_manifest("app", named[2]["digest"]).digest == named[2]["digest"]
    else:
        assert found == ["app:1"]
    # All of it, byte for byte.
    for entry in named:
        client_has_all(client, files, entry["digest"])


def client_has_all(client: RegistryClient, files: LayoutFiles, digest: str) -> None:
    stored = client.get_manifest("app", digest)
    assert stored.data == files.files[f"blobs/{digest.replace(':', '/')}"]
    parsed = stored.content
    if isinstance(parsed, Manifest):
        for blob in (parsed.config, *parsed.layers):
            assert client.get_blob("app", blob.digest) == files.files[f"blobs/{blob.digest.replace(':', '/')}"]
    else:
        for child in parsed.manifests:
            client_has_all(client, files, child.digest)


def follower(files: LayoutFiles, of: Mapping[str, Any], **fields: str) -> dict[str, Any]:
    """Add an image about another one."""
    subject = {key: of[key] for key in ("mediaType", "digest", "size")}
    return files.image(OTHER, compressed=True, subject=subject, **fields)


def test_tags_alone_need_a_name(client: RegistryClient, tmp_path: Path) -> None:
    """As `oras backup` and regctl's `ocidir://` have them: oras lists the children of an index as well."""
    files = LayoutFiles()
    images = [files.image(), files.image(ARM)]
    index = files.index(*images)
    about = follower(files, index)
    files.add(index, ref="1").add(index, ref="2").add(images[1], ref="arm").add(images[0]).add(about)
    layout = unpack(files.all, tmp_path / "layout")
    found, _, failed = loaded(client, layout, as_=Reference(None, "team/app"))
    assert (found, failed) == (["team/app:1", "team/app:2", "team/app:arm"], [])
    expected = {"1": index, "2": index, "arm": images[1], about["digest"]: about}
    for reference, descriptor in expected.items():
        assert client.head_manifest("team/app", reference).digest == descriptor["digest"]
    with pytest.raises(InvalidArchiveError, match="names one image"):
        loaded(client, layout, as_=Reference(None, "team/app", "3"))


def test_one_index_may_get_another_name(client: RegistryClient, tmp_path: Path) -> None:
    files = LayoutFiles()
    images = [files.image(), files.image(ARM)]
    index = files.index(*images)
    files.add(index, ref="1").add(images[0]).add(images[1]).add(follower(files, images[0]))
    found, _, failed = loaded(client, packed(files.all, tmp_path), as_=Reference(None, "team/app", "3"))
    assert (found, failed) == (["team/app:3"], [])
    assert client.head_manifest("team/app", "3").digest == index["digest"]


def test_what_is_about_an_image_is_found_by_its_tag(
    client: RegistryClient, distribution: Distribution, tmp_path: Path
) -> None:
    """Distribution has no referrers API: clients look for an index under a tag, and keep what is in it."""
    files = LayoutFiles()
    image = files.image()
    tag = image["digest"].replace(":", "-")
    one, two = (follower(files, image, artifactType=f"application/{name}") for name in ("one", "two"))

    def listed() -> list[tuple[str, str | None]]:
        index = client.get_manifest("app", tag).content
        assert isinstance(index, Index)
        return [(child.digest, child.artifact_type) for child in index.manifests]

    loaded(client, packed(files.add(image, ref="app:1").add(one).all, tmp_path))
    assert listed() == [(one["digest"], "application/one")]
    loaded(client, packed(files.add(two).all, tmp_path))
    loaded(client, packed(files.all, tmp_path))
    assert listed() == [(one["digest"], "application/one"), (two["digest"], "application/two")]
    # One was removed, but not from the index.
    Writer(distribution.base_url).delete("app", one["digest"])
    files.add(follower(files, image, artifactType="application/three")).entries.remove(one)
    loaded(client, packed(files.all, tmp_path))
    assert [kind for _, kind in listed()] == ["application/two", "application/three"]


def test_an_index_with_one_of_its_images(client: RegistryClient, tmp_path: Path) -> None:
    """As Docker saves an image that was pulled for one platform."""
    files = LayoutFiles()
    image, absent = files.image(), files.image(ARM)
    index = files.index(image, absent, files.attestation(image))
    files.without(absent).add(index, full="docker.io/library/app:1", ref="1")
    found, warnings, failed = loaded(client, packed(files.all, tmp_path))
    assert (found, failed) == (["app:1"], [])
    assert client.head_manifest("app", "1").digest == image["digest"]
    (warning,) = warnings
    assert warning.startswith("the archive does not have all content of `app:1`, so only the image for one platform is")
    assert warning.endswith(f" loaded: {image['digest']}, not the index {index['digest']}")


def test_an_index_with_several_of_its_images_is_refused(client: RegistryClient, tmp_path: Path) -> None:
    files = LayoutFiles()
    image, arm, absent = files.image(), files.image(ARM), files.image(Image((layer("z"),), "s390x"))
    files.without(absent).add(files.index(image, arm, absent), full="docker.io/library/app:1")
    files.add(image, full="docker.io/library/other:1")
    found, _, ((wanted, error),) = loaded(client, packed(files.all, tmp_path))
    assert (found, str(wanted)) == (["other:1"], "app:1")
    assert error.message == "`app:1` is not whole: the archive lacks linux/s390x"


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress, zstd.compress])
def test_compressed_archives_and_pipes(
    client: RegistryClient, tmp_path: Path, compress: Callable[[bytes], bytes]
) -> None:
    data = compress(tar_of(docker_save({IMAGE: ["app:1"]})))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(data,))
    writer.start()
    found, _, failed = loaded(client, pipe)
    writer.join()
    assert (found, failed) == (["app:1"], [])


def test_a_compressed_archive_in_parts(client: RegistryClient, tmp_path: Path) -> None:
    data = zstd.compress(tar_of(docker_save({IMAGE: ["app:1"]})))
    for number in range(3):
        part = len(data) // 2
        (tmp_path / f"x.tar.{number:03}").write_bytes(data[number * part : (number + 1) * part])
    assert loaded(client, tmp_path / "x.tar")[0] == ["app:1"]


def test_several_tags_of_an_image_and_of_its_parts(client: RegistryClient, tmp_path: Path) -> None:
    """Distribution answers 400 to a manifest whose link, or whose child's link, another request writes meanwhile."""
    files = LayoutFiles()
    images = [files.image(), files.image(ARM)]
    index = files.index(*images)
    for repository in range(10):
        for tag in range(4):
            files.add(index, ref=f"team/{repository}:{tag}")
            files.add(images[tag % 2], ref=f"team/{repository}:part-{tag}")
    found, _, failed = loaded(client, packed(files.all, tmp_path))
    assert (len(found), failed) == (80, [])
