from __future__ import annotations

import io
import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from support.registries.fake import LAYER
from support.registries.layout_folder import LayoutFolder
from support.registries.shelf import Shelf

from localreg.errors import InvalidArchiveError, RegistryError
from localreg.places.content import read_content
from localreg.places.layout.archive import ArchiveTarget
from localreg.places.layout.entries import find_entries
from localreg.places.layout.source import LayoutSource
from localreg.places.opened import opened_source
from localreg.places.port import Blob, BlobsGoneError, Content, Target
from localreg.places.transfer import Nowhere, transfer
from localreg.system.waiting import wait_until


class Losing(Nowhere):
    """Loses its blobs before it takes manifests, some times."""

    def __init__(self, losses: int) -> None:
        self.losses = losses
        self.begun = 0
        self.finished = False

    def begin(self, content: Content) -> Sequence[Blob]:
        self.begun += 1
        return super().begin(content)

    def finish(self, _content: Content) -> None:
        if self.begun <= self.losses:
            raise BlobsGoneError("they have gone")
        self.finished = True


class Endless:
    """A source whose blobs never end."""

    def __init__(self, source: LayoutSource) -> None:
        self.read_manifest = source.read_manifest
        self.find_referrers = source.find_referrers
        self.find_size = source.find_size
        self.damage = source.damage

    def read_blob(self, _blob: Blob) -> Iterator[bytes]:
        return itertools.repeat(b"x")


class Refusing(Nowhere):
    """Takes no blobs but one, and refuses them once that is under way."""

    workers = 2

    def __init__(self, taken: Blob) -> None:
        self._taken = taken
        self._is_under_way = threading.Event()
        self.seen: list[str] = []

    def put_blob(self, blob: Blob, read: Callable[[], Iterator[bytes]]) -> None:
        if blob != self._taken:
            assert self._is_under_way.wait(20)
            raise RegistryError("no")
        try:
            for _ in read():
                self._is_under_way.set()
        except Exception as exc:
            self.seen.append(type(exc).__name__)
            raise


class Counting:
    """What a watcher is told."""

    def __init__(self) -> None:
        self.total = self.done = 0

    def begin(self, total: int) -> None:
        self.total, self.done = total, 0

    def advance(self, count: int) -> None:
        self.done += count


@pytest.fixture
def layout(tmp_path: Path) -> LayoutFolder:
    made = LayoutFolder(tmp_path / "layout")
    for tag in range(7):
        Shelf(made, "app").image(str(tag), layers=[b"layer"])
    return made


@pytest.fixture
def source(layout: LayoutFolder) -> Iterator[LayoutSource]:
    with opened_source(layout.path) as opened:
        yield opened


def content_of(source: LayoutSource) -> Content:
    content, failed = read_content(source, find_entries(source, "layout"))
    assert failed == []
    return content


@pytest.mark.parametrize("target", [Nowhere(), ArchiveTarget(io.BytesIO(), location="localhost:5000")])
def test_all_bytes_are_counted(source: LayoutSource, target: Target) -> None:
    content, watcher = content_of(source), Counting()
    transfer(source, target, content, watcher)
    assert watcher.done == watcher.total == sum(blob.size for blob in content.blobs.values())


@pytest.mark.parametrize("target", [Nowhere(), ArchiveTarget(io.BytesIO(), location="localhost:5000")])
def test_a_changed_byte_is_found_and_the_error_says_where(
    layout: LayoutFolder, source: LayoutSource, target: Target
) -> None:
    content = content_of(source)
    digest = layout.blob("app", b"layer", LAYER)["digest"]
    layout.file(digest).write_bytes(b"lawyer"[:5])
    with pytest.raises(InvalidArchiveError) as caught:
        transfer(source, target, content)
    assert str(layout.path) in caught.value.message
    assert f"blob {digest} has other content" in caught.value.message
    assert caught.value.hint is not None
    (detail,) = caught.value.details
    assert "`app:0`" in detail
    assert detail.endswith("2 more")


@pytest.mark.parametrize("data", [b"", b"lay", b"layers"])
def test_a_file_that_is_cut_or_grows_while_it_is_read(layout: LayoutFolder, source: LayoutSource, data: bytes) -> None:
    content = content_of(source)
    layout.file(layout.blob("app", b"layer", LAYER)["digest"]).write_bytes(data)
    with pytest.raises(InvalidArchiveError, match=str(len(data)) if len(data) < 5 else "more than 5"):
        transfer(source, Nowhere(), content)


def test_blobs_that_went_are_sent_again(source: LayoutSource) -> None:
    target = Losing(2)
    transfer(source, target, content_of(source))
    assert (target.begun, target.finished) == (3, True)


def test_blobs_that_always_go_are_an_error_at_last(source: LayoutSource) -> None:
    target = Losing(1000)
    with pytest.raises(BlobsGoneError):
        transfer(source, target, content_of(source))
    assert target.begun < 10


def test_the_first_failure_ends_what_is_under_way_and_is_the_one_that_is_told(source: LayoutSource) -> None:
    content = content_of(source)
    large = {digest: replace(blob, size=1 << 60) for digest, blob in list(content.blobs.items())[:2]}
    target = Refusing(next(iter(large.values())))
    with pytest.raises(RegistryError, match=r"^no$"):
        transfer(Endless(source), target, replace(content, blobs=large, configs={}))
    # A busy machine may let it run on beyond the second that it gets.
    assert wait_until(lambda: target.seen == ["_StoppedError"], seconds=20)
