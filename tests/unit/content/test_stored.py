"""`ls` of a registry whose volume can be read: the same rows as over HTTP, with the times of the pushes."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from support.registries.fake import FakeRegistry, child

from localreg.content import ls
from localreg.content.filter import read_filters
from localreg.content.listed import Listing, SortKey
from localreg.content.ls import list_images, list_stored
from localreg.content.stored import StoredContent
from localreg.errors import EngineError, EngineLostError, RegistryError, RepositoryNotFoundError
from localreg.oci.api import RegistryClient
from localreg.registry.volume_layout import Links, TagLink

FIRST = datetime(2026, 11, 1, tzinfo=UTC)


class MemoryVolume:
    """The volume of a registry in this process; each tag was pushed an hour after the one before."""

    def __init__(self, registry: FakeRegistry) -> None:
        tags = [(name, tag, digest) for name, found in registry.tags.items() for tag, digest in (found or {}).items()]
        self.links = Links(
            tuple(TagLink(*tag, FIRST + timedelta(hours=number)) for number, tag in enumerate(tags)),
            frozenset((name, digest) for name in registry.tags for digest in registry.manifests),
        )
        self.blobs = registry.blobs | {digest: data for digest, (_, data) in registry.manifests.items()}
        self.reads = 0
        self.was_asked = False
        self.asked: Collection[str] | None = None

    def read_links(self, repositories: Collection[str] | None = None) -> Links:
        self.was_asked, self.asked = True, repositories
        return self.links

    def read_blobs(self, digests: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        self.reads += 1
        return ((digest, self.blobs[digest]) for digest in set(digests) & self.blobs.keys())


@pytest.fixture(autouse=True, params=[0, 100])
def _few(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same with few tags, for which the registry is asked, and with many."""
    monkeypatch.setattr(ls, "_FEW", request.param)


@pytest.fixture
def volume(registry: FakeRegistry) -> MemoryVolume:
    amd, arm = registry.put_image("app:1"), registry.put_image("app:2", platform="linux/arm64", layers=[b"x" * 5000])
    registry.put_index([child(amd, "linux/amd64"), child(arm, "linux/arm64")], at="team/many:1")
    return MemoryVolume(registry)


def listing(
    registry: FakeRegistry,
    volume: MemoryVolume | None,
    *,
    sort: SortKey = SortKey.NAME,
    filters: Sequence[str] = (),
    names_only: bool = False,
) -> Listing:
    with RegistryClient(registry.base_url) as client:
        wanted = read_filters(filters)
        return list_images(client, (), volume=volume, sort=sort, filters=wanted, names_only=names_only)


def names(found: Listing) -> list[str]:
    return [f"{row.repository}:{row.tag}" for row in found.rows]


def test_the_rows_are_those_of_the_registry_and_have_push_times(registry: FakeRegistry, volume: MemoryVolume) -> None:
    rows = listing(registry, volume).rows
    assert [row.pushed for row in rows] == [FIRST + timedelta(hours=number) for number in range(3)]
    assert tuple(replace(row, pushed=None) for row in rows) == listing(registry, None).rows


def test_of_many_tags_the_registry_is_asked_for_one(
    registry: FakeRegistry, volume: MemoryVolume, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ls, "_FEW", 2)
    assert len(listing(registry, volume).rows) == 3
    assert (set(registry.requests), volume.reads) == ({"/v2/app/manifests/1"}, 2)


def test_only_what_is_named_is_looked_for_in_the_volume(registry: FakeRegistry, volume: MemoryVolume) -> None:
    with RegistryClient(registry.base_url) as client:
        assert list_images(client, ("app:1",), volume=volume, names_only=True).rows
        assert not volume.was_asked
        (row,) = list_images(client, ("app:1",), volume=volume).rows
    assert (row.pushed, volume.asked) == (FIRST, {"app"})


def test_an_engine_that_hangs_holds_up_no_error(
    registry: FakeRegistry, volume: MemoryVolume, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()

    def hang(_: object = None) -> Links:
        released.wait()
        return volume.links

    monkeypatch.setattr(volume, "read_links", hang)
    registry.faults["/v2/app/tags/list"] = "html"
    with RegistryClient(registry.base_url) as client, pytest.raises(RegistryError):
        list_images(client, ("app:1",), volume=volume)
    released.set()


def test_a_volume_of_another_registry_is_not_believed(registry: FakeRegistry, volume: MemoryVolume) -> None:
    by_http = listing(registry, None)
    other = f"sha256:{hashlib.sha256(b'other').hexdigest()}"
    volume.links = Links((TagLink("app", "1", other, FIRST),), frozenset({("app", other)}))
    assert listing(registry, volume) == by_http
    volume.links = Links((), frozenset())
    assert listing(registry, volume) == by_http


def test_a_volume_that_cannot_be_read_is_no_error(
    registry: FakeRegistry, volume: MemoryVolume, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object = None) -> Links:
        raise EngineError("there is no shell")

    monkeypatch.setattr(volume, "read_links", fail)
    assert listing(registry, volume) == listing(registry, None)


def test_an_engine_that_fails_between_links_and_manifests_is_no_error(
    registry: FakeRegistry, volume: MemoryVolume, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = listing(registry, volume)

    def fail(_: object) -> Iterator[tuple[str, bytes]]:
        raise EngineLostError("the engine is gone")

    monkeypatch.setattr(volume, "read_blobs", fail)
    assert listing(registry, volume) == wanted


def test_what_the_volume_lacks_is_asked_of_the_registry(registry: FakeRegistry, volume: MemoryVolume) -> None:
    by_http = listing(registry, None).rows
    one, two, many = volume.links.tags
    # Being written; its revision is gone; its bytes have changed.
    volume.links = replace(volume.links, tags=(one, replace(two, digest=None), many))
    volume.blobs = {digest: data for digest, data in volume.blobs.items() if digest != many.digest}
    assert tuple(replace(row, pushed=None) for row in listing(registry, volume).rows) == by_http
    volume.links = replace(volume.links, revisions=frozenset({("app", one.digest or "")}))
    assert tuple(replace(row, pushed=None) for row in listing(registry, volume).rows) == by_http


def test_rows_are_sorted_as_asked_for(registry: FakeRegistry, volume: MemoryVolume) -> None:
    assert names(listing(registry, volume)) == ["app:1", "app:2", "team/many:1"]
    assert names(listing(registry, volume, sort=SortKey.PUSHED)) == ["team/many:1", "app:2", "app:1"]
    assert names(listing(registry, volume, sort=SortKey.SIZE)) == ["team/many:1", "app:2", "app:1"]
    assert names(listing(registry, None, sort=SortKey.PUSHED)) == ["app:1", "app:2", "team/many:1"]


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        (["kind=image"], ["app:1", "app:2", "team/many:1"]),
        (["kind=helm-chart"], []),
        (["platform=linux/arm64"], ["app:2", "team/many:1"]),
        ([f"since={(FIRST + timedelta(hours=1)).isoformat()}"], ["app:2", "team/many:1"]),
        ([f"until={(FIRST + timedelta(hours=1)).isoformat()}", "platform=linux/arm64"], ["app:2"]),
    ],
)
def test_rows_are_chosen_by_filters(
    registry: FakeRegistry, volume: MemoryVolume, filters: list[str], wanted: list[str]
) -> None:
    for names_only in (False, True):
        assert names(listing(registry, volume, filters=filters, names_only=names_only)) == wanted
    assert names(list_stored(volume, (), filters=read_filters(filters))) == wanted


def test_times_of_pushes_that_only_an_unreadable_volume_has_are_an_error(
    registry: FakeRegistry, volume: MemoryVolume, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object = None) -> Links:
        raise EngineError("there is no shell")

    monkeypatch.setattr(volume, "read_links", fail)
    for unreadable, reasons in ((volume, ("there is no shell",)), (None, ())):
        with pytest.raises(EngineError, match="times of pushes") as caught:
            listing(registry, unreadable, filters=["since=1d"])
        assert (caught.value.details, caught.value.hint is None) == (reasons, False)
    registry.tags.clear()
    assert listing(registry, None, filters=["since=1d"]) == Listing(())


def test_a_registry_out_of_reach_is_listed_from_its_volume(registry: FakeRegistry, volume: MemoryVolume) -> None:
    wanted = listing(registry, volume)
    before = registry.requests.total()
    assert list_stored(volume, ()) == wanted
    found = list_stored(volume, ("app:2", "nothing"), sort=SortKey.SIZE)
    assert (names(found), found.missing) == (["app:2"], ("nothing",))
    volume.links = replace(volume.links, revisions=frozenset())
    assert {row.error is None for row in list_stored(volume, ()).rows} == {False}
    assert registry.requests.total() == before


def test_without_a_registry_what_is_missing_is_an_error(volume: MemoryVolume) -> None:
    content = StoredContent(volume, volume.links, None)
    digest = volume.links.tags[0].digest
    assert digest is not None
    content.read([digest])
    assert content.get_manifest("app", digest).digest == digest
    for repository, missing in (("app", f"sha256:{'0' * 64}"), ("other", digest)):
        with pytest.raises(RepositoryNotFoundError):
            content.get_manifest(repository, missing)
    with pytest.raises(RepositoryNotFoundError):
        content.get_config("app", f"sha256:{'0' * 64}")
