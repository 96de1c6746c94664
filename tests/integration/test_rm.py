"""`rm` on a real Distribution 2.8.3, which deletes manifests with all their tags."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.engines.real import Distribution
from support.registries.writer import Writer

from localreg.content.ls import list_images
from localreg.content.untag import THROWN_AWAY, untag
from localreg.errors import ConflictError, RegistryError, RepositoryNotFoundError
from localreg.oci.api import RegistryClient
from localreg.oci.manifest import OCI_INDEX


@pytest.fixture
def writer(distribution: Distribution) -> Writer:
    return Writer(distribution.base_url)


@pytest.fixture
def client(distribution: Distribution) -> Iterator[RegistryClient]:
    with RegistryClient(distribution.base_url) as found:
        yield found


class Killed(Exception):  # noqa: N818 -- it stands for a kill
    """What a kill is to the process that dies."""


class DyingClient(RegistryClient):
    """Dies before it deletes."""

    def delete_manifest(self, repository: str, digest: str) -> None:
        raise Killed(f"{repository}@{digest}")


class RefusedClient(RegistryClient):
    """Is refused when it deletes, although it was not when it asked."""

    def delete_manifest(self, repository: str, digest: str) -> None:
        raise RegistryError(f"no {repository}@{digest}")


@pytest.fixture
def killed(distribution: Distribution, writer: Writer) -> None:
    """Two tags of one image, and an `rm` of one of them that was killed in the middle."""
    same(writer, "team/app", "going", "staying")
    with DyingClient(distribution.base_url) as dying, pytest.raises(Killed):
        untag(dying, "team/app", "going")


def same(writer: Writer, repository: str, *tags: str) -> str:
    """One image with several tags; returns its digest."""
    digests = {str(writer.image(repository, tag)["digest"]) for tag in tags}
    assert len(digests) == 1
    return digests.pop()


def test_other_tags_of_the_same_image_stay(client: RegistryClient, writer: Writer) -> None:
    digest = same(writer, "team/app", "one", "two", "three")
    untag(client, "team/app", "two")
    assert sorted(client.list_tags("team/app")) == ["one", "three"]
    assert client.get_manifest("team/app", "one").digest == digest
    with pytest.raises(RepositoryNotFoundError):
        untag(client, "team/app", "two")


def test_an_index_goes_and_what_it_names_stays(client: RegistryClient, writer: Writer) -> None:
    children = [writer.image("app", "amd64"), writer.image("app", architecture="arm64")]
    writer.manifest("app", "all", {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children})
    writer.manifest("app", "again", {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children})
    untag(client, "app", "all")
    rows = {row.tag: row for row in list_images(client, ()).rows}
    assert rows.keys() == {"again", "amd64"}
    assert rows["again"].error is None


def test_the_last_tag_empties_the_repository(client: RegistryClient, writer: Writer) -> None:
    writer.image("app", "1")
    untag(client, "app", "1")
    assert client.list_tags("app") == []
    assert list_images(client, ()).rows == ()


def test_a_tag_that_moved_on_is_left_alone(client: RegistryClient, writer: Writer) -> None:
    before = str(writer.image("app", "1")["digest"])
    after = str(writer.image("app", "1", architecture="arm64")["digest"])
    with pytest.raises(ConflictError, match=after):
        untag(client, "app", "1", digest=before)
    assert client.get_manifest("app", "1").digest == after
    untag(client, "app", "1", digest=after)
    assert client.list_tags("app") == []


@pytest.mark.usefixtures("killed")
def test_ls_hides_a_tag_whose_removal_was_killed_and_writes_nothing(client: RegistryClient) -> None:
    before = client.get_manifest("team/app", "going")
    assert THROWN_AWAY.encode() in before.data
    assert [row.tag for row in list_images(client, ()).rows] == ["staying"]
    assert client.get_manifest("team/app", "going") == before


@pytest.mark.usefixtures("killed")
def test_the_same_command_again_finishes_a_removal_that_was_killed(client: RegistryClient) -> None:
    untag(client, "team/app", "going")
    assert client.list_tags("team/app") == ["staying"]


def test_a_deletion_that_fails_gives_the_tag_back(
    distribution: Distribution, client: RegistryClient, writer: Writer
) -> None:
    digest = same(writer, "app", "1", "2")
    with RefusedClient(distribution.base_url) as refused, pytest.raises(RegistryError, match=r"^no app@sha256:"):
        untag(refused, "app", "1")
    assert client.get_manifest("app", "1").digest == digest


def link_of(distribution: Distribution, repository: str, tag: str) -> Path:
    """Where Distribution keeps the digest of a tag."""
    return distribution.root / f"docker/registry/v2/repositories/{repository}/_manifests/tags/{tag}/current/link"


def data_of(distribution: Distribution, digest: str) -> Path:
    """Where Distribution keeps a manifest."""
    encoded = digest.partition(":")[2]
    return distribution.root / f"docker/registry/v2/blobs/sha256/{encoded[:2]}/{encoded}/data"


def test_a_tag_whose_link_is_empty_is_named_and_removed(
    distribution: Distribution, client: RegistryClient, writer: Writer
) -> None:
    whole = str(writer.image("app", "whole")["digest"])
    writer.image("app", "broken", architecture="arm64")
    link_of(distribution, "app", "broken").write_text("")
    errors = {row.tag: row.error for row in list_images(client, ()).rows}
    assert (errors["whole"], bool(errors["broken"])) == (None, True)

    with pytest.raises(RegistryError) as caught:
        untag(client, "app", "whole")
    assert caught.value.hint == "localreg rm app:broken"
    assert client.get_manifest("app", "whole").digest == whole
    untag(client, "app", "broken")
    assert client.list_tags("app") == ["whole"]
    untag(client, "app", "whole")
    assert client.list_tags("app") == []


@pytest.mark.parametrize("damage", ["empty", "gone"])
def test_a_tag_whose_manifest_is_lost_is_removed(
    distribution: Distribution, client: RegistryClient, writer: Writer, damage: str
) -> None:
    writer.image("app", "whole")
    digest = str(writer.image("app", "broken", architecture="arm64")["digest"])
    if damage == "empty":
        data_of(distribution, digest).write_bytes(b"")
    else:
        data_of(distribution, digest).unlink()
    errors = {row.tag: row.error for row in list_images(client, ()).rows}
    assert (errors["whole"], bool(errors["broken"])) == (None, True)
    untag(client, "app", "broken")
    assert client.list_tags("app") == ["whole"]
    with pytest.raises(RepositoryNotFoundError):
        untag(client, "app", "broken")


def test_a_digest_is_only_compared_with_what_can_be_read(
    distribution: Distribution, client: RegistryClient, writer: Writer
) -> None:
    digest = str(writer.image("app", "broken")["digest"])
    link_of(distribution, "app", "broken").write_text("")
    with pytest.raises(RegistryError):
        untag(client, "app", "broken", digest=digest)
    assert client.list_tags("app") == ["broken"]


def test_a_tag_that_is_just_being_written_is_asked_for_again(
    distribution: Distribution, client: RegistryClient, writer: Writer
) -> None:
    digest = str(writer.image("app", "1")["digest"])
    link = link_of(distribution, "app", "1")
    link.write_text("")
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(client.get_manifest, "app", "1")
        link.write_text(digest)
        assert found.result().digest == digest
