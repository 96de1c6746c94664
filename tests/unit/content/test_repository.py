"""The manifests of a repository that a digest can mean, with a registry and a volume in memory."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

import pytest
from support.registries.fake import LAYER, FakeRegistry, child

from localreg.content.repository import read_repository
from localreg.errors import EngineError, RegistryError, RepositoryNotFoundError, UsageError
from localreg.oci.api import RegistryClient
from localreg.oci.manifest import OCI_INDEX
from localreg.registry.volume_layout import Links, TagLink

DIGEST = "sha256:" + "0123456789abcdef" * 4


class Revisions:
    """A volume with these manifests of `app`, of which the first has a tag; or one that cannot be read."""

    def __init__(self, *digests: str, readable: bool = True) -> None:
        self._digests = digests
        self._readable = readable

    def read_links(self, repositories: Collection[str] | None = None) -> Links:
        if not self._readable:
            raise EngineError("no")
        assert repositories == ["app"]
        tags = tuple(TagLink("app", "1", digest, None) for digest in self._digests[:1])
        return Links(tags, frozenset(("app", digest) for digest in self._digests))

    def read_blobs(self, digests: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        del digests
        yield from ()


@pytest.fixture
def client(registry: FakeRegistry) -> Iterator[RegistryClient]:
    with RegistryClient(registry.base_url) as found:
        yield found


@pytest.mark.parametrize("volume", [None, Revisions(readable=False), Revisions()])
def test_without_the_volume_tags_and_indexes_lead_to_digests(
    client: RegistryClient, registry: FakeRegistry, volume: Revisions | None
) -> None:
    tagged, part = registry.put_image("app:1"), registry.put_image(platform="linux/arm64")
    index = registry.put_index([child(part)], at="app:all")
    found = read_repository(client, volume, "app")
    for digest in (tagged, part, index):
        assert found.find(digest[:20]) == found.find(digest) == digest
    assert (found.parents, found.tags_of(tagged)) == ({part: index}, ("1",))
    with pytest.raises(RepositoryNotFoundError, match=DIGEST[:19]) as caught:
        found.find(DIGEST)
    assert caught.value.hint == "localreg ls app --digests"


def test_a_part_of_an_index_in_an_index_is_one(client: RegistryClient, registry: FakeRegistry) -> None:
    part = registry.put_image(platform="linux/arm64")
    inner = registry.put_index([child(part)])
    outer = registry.put_index([child(inner, media_type=OCI_INDEX)], at="app:all")
    assert read_repository(client, None, "app").parents == {part: outer, inner: outer}


def test_the_layers_in_an_index_are_not_manifests(client: RegistryClient, registry: FakeRegistry) -> None:
    layer, size = registry.put_blob(b"layer")
    index = registry.put_index([{"mediaType": LAYER, "digest": layer, "size": size}], at="app:cache")
    assert read_repository(client, None, "app").digests == [index]


def test_a_volume_also_has_what_no_tag_leads_to(client: RegistryClient, registry: FakeRegistry) -> None:
    tagged, other = registry.put_image("app:1"), registry.put_image(platform="linux/arm64")
    found = read_repository(client, Revisions(tagged, other), "app")
    assert found.find(other[:13]) == other
    assert (found.digests, set(found.untagged)) == ([tagged, other], {other})


def test_a_repository_may_have_been_pushed_to_by_digest_alone(client: RegistryClient, registry: FakeRegistry) -> None:
    part = registry.put_image()
    with pytest.raises(RepositoryNotFoundError) as caught:
        read_repository(client, None, "app")
    assert caught.value.hint == "localreg ls"
    assert read_repository(client, Revisions(part), "app").find(part[:13]) == part


def test_a_registry_out_of_reach_has_what_is_in_its_volume() -> None:
    found = read_repository(None, Revisions(DIGEST, DIGEST[:-1] + "e"), "app")
    assert found.find(DIGEST) == DIGEST
    assert found.tags == {"1": DIGEST}


def test_a_cut_digest_with_several_meanings_is_refused(client: RegistryClient, registry: FakeRegistry) -> None:
    registry.put_image("app:1")
    digests = [DIGEST, DIGEST[:-1] + "e"]
    with pytest.raises(UsageError, match="2 digests") as caught:
        read_repository(client, Revisions(*digests), "app").find(DIGEST[:30])
    assert caught.value.details == tuple(sorted(digests))


def test_a_tag_that_is_broken_has_no_digest(client: RegistryClient, registry: FakeRegistry) -> None:
    whole = registry.put_image("app:1")
    registry.put_image("app:broken", platform="linux/arm64")
    registry.faults["/v2/app/manifests/broken"] = "500"
    found = read_repository(client, None, "app")
    assert (found.tags, found.digests) == ({"1": whole, "broken": None}, [whole])
    registry.faults["/v2/app/manifests/broken"] = "503"
    with pytest.raises(RegistryError, match="503"):
        read_repository(client, None, "app")
