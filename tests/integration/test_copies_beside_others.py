"""`save` and `load` beside other clients and garbage collections of the same real registry: nothing is lost."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import urllib3
from support.engines.real import Bed, Distribution, docker_alone
from support.registries.churn import problems
from support.registries.layout_folder import LayoutFolder
from support.registries.shelf import Shelf

from localreg.content import collector
from localreg.content.gc import NOW, GcOptions, collect
from localreg.content.quarantine import Batch, Quarantine
from localreg.errors import LocalregError
from localreg.oci.api import RegistryClient
from localreg.places.content import read_content
from localreg.places.layout.entries import find_entries
from localreg.places.load import load
from localreg.places.opened import opened_source
from localreg.places.port import Unwatched, Watcher
from localreg.places.registry import Placed
from localreg.places.save import find_wanted, read_wanted, save
from localreg.registry.running import get_running_registry

URL = "http://localhost:5000"


@pytest.fixture
def layout(tmp_path: Path) -> LayoutFolder:
    """Images in several repositories that share layers, as children of indexes and with tags of their own."""
    made = LayoutFolder(tmp_path / "layout")
    for number in range(3):
        shelf = Shelf(made, f"team/app-{number}")
        index = shelf.index("1", "latest")
        shelf.signature(index["digest"])
        shelf.sbom(index, listed=True)
        for architecture in ("amd64", "arm64"):
            shelf.image(architecture, architecture=architecture)
    return made


def loaded(layout: LayoutFolder, url: str, watcher: Watcher | None = None) -> list[Placed]:
    with opened_source(layout.path) as source, RegistryClient(url) as client:
        content, failed = read_content(source, find_entries(source, "layout"))
        assert failed == []
        return load(source, content, client, watcher=watcher or Unwatched())[0]


def saved(url: str) -> bytes:
    output = io.BytesIO()
    with RegistryClient(url) as client:
        place, content, failed = read_wanted(client, find_wanted(client, [])[0])
        assert failed == []
        save(place, content, output, location="localhost:5000", watcher=Unwatched())
    return output.getvalue()


def broken(images: list[Placed], url: str) -> list[str]:
    """What is not there of what was loaded."""
    pool = urllib3.connectionpool.connection_from_url(url)
    return [
        problem
        for name in (image.name for image in images)
        for problem in problems(pool, name.repository, str(name.tag), name.digest)
    ]


def test_several_loads_of_the_same_at_once(distribution: Distribution, layout: LayoutFolder) -> None:
    with ThreadPoolExecutor(3) as pool:
        first, *others = pool.map(lambda _: loaded(layout, distribution.base_url), range(3))
    assert len(first) == 18
    assert all([image.name for image in other] == [image.name for image in first] for other in others)
    assert broken(first, distribution.base_url) == []


class Collecting:
    """Garbage collections, one after the other."""

    def __init__(self) -> None:
        self.took = threading.Event()
        """One has taken blobs, and not yet looked whether they are needed again."""
        self.turn = threading.Lock()
        """Held by one, or by the test."""

    def begin(self, _total: int) -> None:
        """Hold a load that knows what the registry has until what it did not ask for is taken."""
        if not self.took.is_set():
            self.turn.release()
            assert self.took.wait(30)

    def advance(self, count: int) -> None:
        """Do nothing."""


class Losing(Unwatched):
    """The registry loses a blob that a load has just seen there, once.

    localreg's own collection leaves alone what clients have just asked for; others do not.
    """

    def __init__(self, url: str, repository: str, digest: str) -> None:
        self._path = f"{url}/v2/{repository}/blobs/{digest}"
        self.begun = 0

    def begin(self, total: int) -> None:
        self.begun += 1
        if self.begun == 1:
            assert total == 0
            assert urllib3.request("DELETE", self._path).status == 202


@pytest.mark.parametrize("place", [0, -1])
def test_a_blob_that_goes_after_a_load_has_seen_it(
    distribution: Distribution, layout: LayoutFolder, place: int
) -> None:
    images = loaded(layout, distribution.base_url)
    with opened_source(layout.path) as source:
        content, _ = read_content(source, find_entries(source, "layout"))
    with RegistryClient(distribution.base_url) as client:
        for digest in content.members["team/app-1"]:
            client.delete_manifest("team/app-1", digest)
    watcher = Losing(distribution.base_url, "team/app-1", list(content.blobs)[place])
    assert len(loaded(layout, distribution.base_url, watcher)) == len(images)
    assert watcher.begun == 2
    assert broken(images, distribution.base_url) == []


@pytest.fixture
def collecting(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> Iterator[Collecting]:
    found = Collecting()
    stop = threading.Event()
    take = Quarantine.take_blobs

    def take_blobs(quarantine: Quarantine, batch: Batch, sizes: Mapping[str, int]) -> None:
        take(quarantine, batch, sizes)
        if sizes:
            found.took.set()

    def collect_all() -> None:
        while not stop.is_set():
            with found.turn:
                collect(engine, registry, GcOptions(NOW))

    monkeypatch.setattr(collector, "_YOUNG_SECONDS", 1)
    monkeypatch.setattr(Quarantine, "take_blobs", take_blobs)
    bed.up()
    with bed.opened() as engine, ThreadPoolExecutor(1) as pool:
        registry = get_running_registry(engine, "registry")
        working = pool.submit(collect_all)
        yield found
        stop.set()
        working.result()


@docker_alone
def test_loads_and_saves_beside_garbage_collections(layout: LayoutFolder, collecting: Collecting) -> None:
    """All of it becomes waste, and a collection takes what it can from a load that has just seen it there."""
    archives = set()
    loads = 3
    for number in range(loads):
        images = loaded(layout, URL, collecting if number else None)
        assert broken(images, URL) == []
        archives.add(saved(URL))
        assert broken(images, URL) == []
        if number == loads - 1:
            break
        collecting.turn.acquire()
        collecting.took.clear()
        with RegistryClient(URL) as client:
            for repository, digest in {(image.name.repository, image.name.digest) for image in images}:
                client.delete_manifest(repository, digest)
    assert len(archives) == 1


def test_an_image_that_is_removed_while_it_is_saved(distribution: Distribution, layout: LayoutFolder) -> None:
    """The error names it; what is in no archive is named by none."""
    loaded(layout, distribution.base_url)
    with RegistryClient(distribution.base_url) as client:
        place, content, _ = read_wanted(client, find_wanted(client, ["team/app-0:1"])[0])
        layer = next(blob for blob in content.blobs.values() if not blob.is_config)
        pool = urllib3.connectionpool.connection_from_url(distribution.base_url)
        assert pool.request("DELETE", f"/v2/{layer.origin}/blobs/{layer.digest}").status == 202
        with pytest.raises(LocalregError) as caught:
            save(place, content, io.BytesIO(), location="localhost:5000", watcher=Unwatched())
    assert layer.digest in caught.value.message
    assert "`team/app-0:1`" in caught.value.details[-1]
