"""`save` and `load` where an archive is cut, a connection breaks, or a full disk or a kill damaged the registry."""

from __future__ import annotations

import contextlib
import io
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import pytest
import urllib3
from support.engines.real import Distribution
from support.registries.churn import problems
from support.registries.layout_folder import LayoutFolder
from support.registries.shelf import Shelf

from localreg.errors import LocalregError, RegistryError, RegistryUnreachableError
from localreg.oci.api import RegistryClient
from localreg.oci.digest import digest_of
from localreg.places.content import read_content
from localreg.places.layout.entries import find_entries
from localreg.places.load import load
from localreg.places.opened import opened_source
from localreg.places.port import Unwatched
from localreg.places.registry import Placed, State
from localreg.places.save import find_wanted, read_wanted, save

LARGE = os.urandom(8 << 20)


class Breaking:
    """Stands before a registry, and breaks connections that carried many bytes, some times.

    Args:
        url: That of the registry.
        breaks: How often.
    """

    def __init__(self, url: str, breaks: int) -> None:
        self._target = urllib3.util.parse_url(url)
        self.left = breaks
        self._threads: list[threading.Thread] = []
        self._ends: list[socket.socket] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._begin(self._accept)
        return self

    def _begin(self, work: Callable[..., None], *ends: socket.socket) -> None:
        self._threads.append(threading.Thread(target=work, args=ends, daemon=True))
        self._threads[-1].start()

    def __exit__(self, *exc_info: object) -> None:
        # Closing alone does not wake a thread that waits.
        for end in (self._server, *self._ends):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for end in (self._server, *self._ends):
            end.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._server.accept()
                far = socket.create_connection((self._target.host, self._target.port))
                self._ends += [near, far]
                self._begin(self._copy, near, far)
                self._begin(self._copy, far, near)

    def _copy(self, source: socket.socket, sink: socket.socket) -> None:
        carried = 0
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                carried += len(data)
                if carried > len(LARGE) // 3 and self.left:
                    self.left -= 1
                    break
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def layout(tmp_path: Path) -> LayoutFolder:
    made = LayoutFolder(tmp_path / "layout")
    shelf = Shelf(made, "app")
    shelf.image("1", layers=[LARGE, b"small"])
    shelf.index("2")
    return made


@pytest.fixture
def client(distribution: Distribution) -> Iterator[RegistryClient]:
    with RegistryClient(distribution.base_url) as opened:
        yield opened


def loaded(path: Path, url: str) -> list[Placed]:
    with opened_source(path) as source, RegistryClient(url) as client:
        content, failed = read_content(source, find_entries(source, str(path)))
        if failed:
            raise failed[0][1]
        return load(source, content, client, watcher=Unwatched())[0]


def saved(url: str) -> bytes:
    output = io.BytesIO()
    with RegistryClient(url) as client:
        place, content, failed = read_wanted(client, find_wanted(client, [])[0])
        assert failed == []
        save(place, content, output, location="localhost:5000", watcher=Unwatched())
    return output.getvalue()


def broken(images: list[Placed], url: str) -> list[str]:
    pool = urllib3.connectionpool.connection_from_url(url)
    names = [image.name for image in images]
    return [each for name in names for each in problems(pool, name.repository, str(name.tag), name.digest)]


def test_a_save_goes_on_where_its_connection_broke(distribution: Distribution, layout: LayoutFolder) -> None:
    loaded(layout.path, distribution.base_url)
    expected = saved(distribution.base_url)
    with Breaking(distribution.base_url, 2) as breaking:
        assert saved(breaking.url) == expected
        assert breaking.left == 0


def test_a_load_sends_a_blob_anew_whose_connection_broke(distribution: Distribution, layout: LayoutFolder) -> None:
    with Breaking(distribution.base_url, 2) as breaking:
        images = loaded(layout.path, breaking.url)
        assert breaking.left == 0
    assert broken(images, distribution.base_url) == []


def test_a_load_whose_connection_broke_for_good_tags_nothing_and_the_next_one_sends_the_rest(
    distribution: Distribution, client: RegistryClient, layout: LayoutFolder
) -> None:
    with Breaking(distribution.base_url, 4) as breaking:
        with pytest.raises(RegistryUnreachableError):
            loaded(layout.path, breaking.url)
        assert client.find_tags("app") == []
        images = loaded(layout.path, breaking.url)
    assert {image.state for image in images} == {State.NEW}
    assert broken(images, distribution.base_url) == []


def test_an_archive_that_is_cut_anywhere_is_found_before_anything_is_tagged(
    distribution: Distribution, client: RegistryClient, layout: LayoutFolder, tmp_path: Path
) -> None:
    loaded(layout.path, distribution.base_url)
    archive = saved(distribution.base_url)
    for digest in {client.head_manifest("app", tag).digest for tag in client.find_tags("app")}:
        client.delete_manifest("app", digest)
    path = tmp_path / "cut.tar"
    for size in (0, 100, 512, 700, 5000, len(archive) // 2, len(archive) - 20_000):
        path.write_bytes(archive[:size])
        with pytest.raises(LocalregError) as caught:
            loaded(path, distribution.base_url)
        assert (caught.value.exit_code, str(path) in caught.value.message) == (2, True), size
        assert client.find_tags("app") == []


def file_of(distribution: Distribution, digest: str) -> Path:
    encoded = digest.removeprefix("sha256:")
    return distribution.root / "docker/registry/v2/blobs/sha256" / encoded[:2] / encoded / "data"


@pytest.mark.parametrize("link", ["_layers/sha256/*", "_manifests/revisions/sha256/*", "_manifests/tags/*/current"])
def test_links_that_a_full_disk_left_empty_are_written_anew(
    distribution: Distribution, layout: LayoutFolder, link: str
) -> None:
    loaded(layout.path, distribution.base_url)
    links = list((distribution.root / "docker/registry/v2/repositories/app").glob(f"{link}/link"))
    assert links
    for path in links:
        path.write_bytes(b"")
    images = loaded(layout.path, distribution.base_url)
    assert broken(images, distribution.base_url) == []


def test_a_manifest_that_a_full_disk_left_empty_gets_no_other_tag(
    distribution: Distribution, client: RegistryClient, layout: LayoutFolder
) -> None:
    """Distribution stores it again with 201, but not its file."""
    digest = loaded(layout.path, distribution.base_url)[0].name.digest
    file_of(distribution, digest).write_bytes(b"")
    (distribution.root / "docker/registry/v2/repositories/app/_manifests/tags/1/current/link").unlink()
    with pytest.raises(RegistryError, match=digest):
        loaded(layout.path, distribution.base_url)
    with pytest.raises(LocalregError):
        client.head_manifest("app", "1")


def test_a_layer_that_was_cut_in_the_registry(
    distribution: Distribution, client: RegistryClient, layout: LayoutFolder
) -> None:
    loaded(layout.path, distribution.base_url)
    digest = digest_of(LARGE)
    os.truncate(file_of(distribution, digest), 1000)
    with pytest.raises(RegistryError, match=f"{digest} has 1000 bytes instead of {len(LARGE)}"):
        loaded(layout.path, distribution.base_url)
    wanted, _ = find_wanted(client, [])
    _, content, failed = read_wanted(client, wanted)
    assert [str(name) for name in content.names] == ["app:2"]
    ((_, error),) = failed
    assert f"{digest} has 1000 bytes instead of {len(LARGE)}" in error.message
