"""`save` and `load` on a real Distribution 2.8.3: everything comes back byte for byte."""

from __future__ import annotations

import io
import shutil
import tarfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.engines.real import Distribution
from support.registries.shelf import Shelf
from support.registries.writer import Writer

from localreg.errors import InvalidArchiveError
from localreg.oci.api import RegistryClient
from localreg.places.content import read_content
from localreg.places.layout.entries import find_entries
from localreg.places.load import load
from localreg.places.opened import opened_source
from localreg.places.part_file import PartFile
from localreg.places.port import Unwatched
from localreg.places.registry import Placed, State
from localreg.places.save import find_wanted, read_wanted, save

LOCATION = "localhost:5000"


@pytest.fixture
def client(distribution: Distribution) -> Iterator[RegistryClient]:
    with RegistryClient(distribution.base_url) as opened:
        yield opened


def fill(distribution: Distribution) -> None:
    """An index with attestations, a signature and an SBOM; a chart; and images that share layers."""
    writer = Writer(distribution.base_url)
    shelf = Shelf(writer, "team/api")
    index = shelf.index("1.4.2", "latest")
    shelf.signature(index["digest"])
    shelf.sbom(index, listed=True)
    Shelf(writer, "team/web").image("1")
    Shelf(writer, "charts/app").chart("1.2.0")
    writer.image("old", "1", docker=True)


def everything(client: RegistryClient) -> dict[str, object]:
    """Each tag with the bytes of its manifest and of all below it."""
    found: dict[str, object] = {}
    for repository in client.iter_repositories():
        for tag in client.find_tags(repository):
            found[f"{repository}:{tag}"] = whole(client, repository, tag)
    return found


def whole(client: RegistryClient, repository: str, reference: str) -> object:
    stored = client.get_manifest(repository, reference)
    content = stored.content
    children = [whole(client, repository, child.digest) for child in getattr(content, "manifests", ())]
    blobs = [content.config, *content.layers] if not children else []  # type: ignore[union-attr]
    return stored.media_type, stored.data, children, [client.get_blob(repository, blob.digest) for blob in blobs]


def saved(client: RegistryClient, *names: str) -> bytes:
    wanted, missing = find_wanted(client, names)
    assert not missing
    place, content, failed = read_wanted(client, wanted)
    assert not failed
    output = io.BytesIO()
    save(place, content, output, location=LOCATION, watcher=Unwatched())
    return output.getvalue()


def loaded(client: RegistryClient, path: Path) -> list[Placed]:
    with opened_source(path) as source:
        content, failed = read_content(source, find_entries(source, str(path)))
        assert not failed
        return load(source, content, client, watcher=Unwatched())[0]


def test_everything_comes_back_byte_for_byte(
    distribution: Distribution, client: RegistryClient, tmp_path: Path
) -> None:
    fill(distribution)
    before = everything(client)
    archive = tmp_path / "all.tar"
    archive.write_bytes(saved(client))
    assert {image.state for image in loaded(client, archive)} == {State.EXISTS}
    shutil.rmtree(distribution.root)
    assert {image.state for image in loaded(client, archive)} == {State.NEW}
    assert everything(client) == before
    # The same content makes the same archive.
    assert saved(client) == archive.read_bytes()
    assert len(before) == 7
    with tarfile.open(archive) as tar:
        names = tar.getnames()
    assert names[:2] == ["oci-layout", "index.json"]
    assert len(names) == len(set(names))


def test_what_is_about_an_image_follows_it(distribution: Distribution, client: RegistryClient, tmp_path: Path) -> None:
    fill(distribution)
    before = everything(client)
    archive = tmp_path / "one.tar"
    archive.write_bytes(saved(client, "team/api:1.4.2"))
    shutil.rmtree(distribution.root)
    loaded(client, archive)
    expected = {name for name in before if name.startswith("team/api:") and name != "team/api:latest"}
    assert everything(client) == {name: before[name] for name in expected}


def test_parts_are_loaded_and_a_missing_one_is_named(
    distribution: Distribution, client: RegistryClient, tmp_path: Path
) -> None:
    fill(distribution)
    before = everything(client)
    archive = tmp_path / "all.tar"
    with PartFile(archive, split=100_000) as file:
        file.write(saved(client))
    shutil.rmtree(distribution.root)
    assert {image.state for image in loaded(client, tmp_path / "all.tar.000")} == {State.NEW}
    assert everything(client) == before
    (tmp_path / "all.tar.001").unlink()
    with pytest.raises(InvalidArchiveError, match=r"missing: `.*/all\.tar\.001`"):
        loaded(client, archive)


def test_a_large_layer_is_never_in_memory(distribution: Distribution, client: RegistryClient, tmp_path: Path) -> None:
    layer = 64 << 20
    Shelf(Writer(distribution.base_url), "big").image("1", layers=[bytes(layer)])
    archive = tmp_path / "big.tar"
    wanted, _ = find_wanted(client, [])
    tracemalloc.start()
    try:
        place, content, _ = read_wanted(client, wanted)
        with PartFile(archive) as file:
            save(place, content, file, location=LOCATION, watcher=Unwatched())
        shutil.rmtree(distribution.root)
        assert [image.state for image in loaded(client, archive)] == [State.NEW]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < layer // 4
