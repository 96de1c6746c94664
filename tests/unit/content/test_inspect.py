"""`inspect` of a registry that is reached over HTTP alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from support.registries.fake import LAYER, FakeRegistry, child
from support.registries.shelf import BASE, PROVENANCE, InFake, Shelf

from localreg.content import sharing
from localreg.content.inspect import Inspected, Inspector
from localreg.content.untag import THROWN_AWAY
from localreg.engines.values import Container, ContainerState, PublishedPort
from localreg.errors import (
    InvalidReferenceError,
    LocalregError,
    NotFoundError,
    RegistryError,
    RegistryUnreachableError,
    RepositoryNotFoundError,
    UsageError,
)
from localreg.oci.api import RegistryClient
from localreg.oci.manifest import DOCKER_MANIFEST, EMPTY_CONFIG_TYPE, OCI_INDEX, OCI_MANIFEST
from localreg.oci.platform import parse_platform
from localreg.registry.container import Registry
from localreg.system.address import Address

ZEROS = f"sha256:{'0' * 64}"


def registry_at(base_url: str) -> Registry:
    """A registry in a container that localreg did not create."""
    address = Address("127.0.0.1", int(base_url.rpartition(":")[2]))
    ports = (PublishedPort(5000, address, address),)
    return Registry(
        Container("a" * 64, "registry", "registry:2.8.3", ContainerState.RUNNING, {}, ports, (), None, None, None)
    )


@pytest.fixture
def inspector(registry: FakeRegistry) -> Iterator[Inspector]:
    with RegistryClient(registry.base_url) as client:
        yield Inspector(registry_at(registry.base_url), client, None)


@pytest.fixture
def shelf(registry: FakeRegistry) -> Shelf:
    return Shelf(InFake(registry), "team/api")


def inspected(inspector: Inspector, name: str, platform: str | None = None) -> Inspected:
    return inspector.inspect(inspector.find(name, platform=parse_platform(platform) if platform else None))


def test_an_image(inspector: Inspector, registry: FakeRegistry, shelf: Shelf) -> None:
    stored = shelf.image("1")
    found = inspected(inspector, "team/api:1")
    location = registry.base_url.replace("http://127.0.0.1", "localhost")
    assert str(found.found.reference) == f"{location}/team/api:1"
    assert found.found.by_digest == f"{location}/team/api@{stored['digest']}"
    assert (found.is_index, found.platforms, found.media_type) == (False, ("linux/amd64",), OCI_MANIFEST)
    assert found.only is not None
    assert found.only.config is not None
    assert found.only.config.user == "1000:1000"
    steps = [layer.step.created_by for layer in found.only.layers if layer.step]
    assert [step.partition(" ")[0] for step in steps] == ["ADD", "RUN", "COPY"]
    assert found.size == sum(blob.size for blob in found.only.blobs)


def test_an_index_has_each_of_its_images_and_their_attestations(inspector: Inspector, shelf: Shelf) -> None:
    shelf.index("1")
    found = inspected(inspector, "team/api:1")
    assert (found.is_index, found.only) == (True, None)
    assert [one.platform for one in found.manifests] == ["linux/amd64", "linux/arm64"]
    assert [one.subject for one in found.attestations] == [one.digest for one in found.manifests]
    assert {(one.predicates, str(one.artifact)) for one in found.attestations} == {((PROVENANCE,), "attestation")}
    assert found.annotations == {"org.opencontainers.image.version": "1.4.2"}


def test_a_platform_is_chosen_from_an_index(inspector: Inspector, shelf: Shelf) -> None:
    index = shelf.index("1")
    found = inspected(inspector, "team/api:1", "linux/arm64/v8")
    assert (found.platforms, found.found.part_of) == (("linux/arm64",), index["digest"])
    assert [one.subject for one in found.attestations] == [found.found.stored.digest]
    shelf.image("2")
    assert inspected(inspector, "team/api:2", "linux/amd64").found.part_of is None


@pytest.mark.parametrize("name", ["team/api:index", "team/api:image"])
def test_a_platform_that_is_not_there_is_named_with_those_that_are(
    inspector: Inspector, shelf: Shelf, name: str
) -> None:
    shelf.index("index")
    shelf.image("image")
    with pytest.raises(NotFoundError, match=r"has no image for linux/s390x, only for linux/amd64") as caught:
        inspected(inspector, name, "linux/s390x")
    assert caught.value.hint == f"localreg inspect {name} --platform linux/amd64"


def test_the_platform_of_a_child_is_in_its_config_if_the_index_does_not_tell(
    inspector: Inspector, registry: FakeRegistry
) -> None:
    arm = registry.put_image(platform="linux/arm64")
    registry.put_index([child(ZEROS), child(arm)], at="app:1")
    assert inspected(inspector, "app:1", "linux/arm64").found.stored.digest == arm
    registry.put_index([], at="app:empty")
    with pytest.raises(NotFoundError, match=r"has no image for linux/arm64$"):
        inspected(inspector, "app:empty", "linux/arm64")


def test_an_index_of_one_image_has_the_content_of_that(inspector: Inspector, shelf: Shelf) -> None:
    shelf.index("1", architectures=["riscv64"])
    found = inspected(inspector, "team/api:1")
    assert found.only is not None
    assert found.only.platform == "linux/riscv64"


def test_tags_of_the_same_digest_and_of_the_same_layers(
    inspector: Inspector, registry: FakeRegistry, shelf: Shelf
) -> None:
    index = shelf.index("1", "latest")
    Shelf(InFake(registry), "copy").index("x")
    Shelf(InFake(registry), "web").image("1", layers=[BASE, b"web"])
    found = inspected(inspector, "team/api:1")
    assert found.same_as == ("copy:x", "team/api:latest")
    assert [layer.shared_with for layer in found.manifests[0].layers] == [("web:1",), (), ()]
    by_digest = inspected(inspector, f"team/api@{index['digest']}")
    assert by_digest.same_as == ("copy:x", "team/api:1", "team/api:latest")
    web = inspected(inspector, "web:1")
    assert web.only is not None
    assert [layer.shared_with for layer in web.only.layers] == [("copy:x", "team/api:1", "team/api:latest"), ()]
    arm = inspected(inspector, "team/api:1", "linux/arm64")
    assert arm.only is not None
    # The index that it is part of is not another image.
    assert [layer.shared_with for layer in arm.only.layers] == [("web:1",), (), ()]


def test_of_too_many_tags_the_manifests_are_not_read(
    inspector: Inspector, registry: FakeRegistry, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "_MOST_TAGS", 1)
    digest = str(shelf.image("1")["digest"])
    shelf.signature(digest)
    found = inspected(inspector, "team/api:1")
    assert found.not_looked_up == "the registry has 2 tags, too many to read over HTTP"
    assert found.same_as is None
    assert found.only is not None
    assert {layer.shared_with for layer in found.only.layers} == {None}
    assert [str(one.artifact) for one in found.referrers] == ["signature"]
    assert registry.requests["/v2/_catalog"] == 1
    inspected(inspector, "team/api:1")
    assert registry.requests["/v2/_catalog"] == 1


def test_a_catalog_that_may_not_be_read_is_no_error(inspector: Inspector, registry: FakeRegistry, shelf: Shelf) -> None:
    shelf.image("1")
    registry.faults["/v2/_catalog"] = "403"
    assert inspected(inspector, "team/api:1").not_looked_up == "the registry returned 403 for the catalog"


def test_referrers_are_found_by_each_tag_and_by_their_subject(
    inspector: Inspector, registry: FakeRegistry, shelf: Shelf
) -> None:
    index = shelf.index("1")
    digest = str(index["digest"])
    signature = shelf.signature(digest)
    listed, unlisted = shelf.sbom(index, listed=True), shelf.sbom(index, listed=False)
    child_sbom = shelf.sbom(json.loads(registry.manifests[digest][1])["manifests"][0], listed=True)
    found = {one.digest: one for one in inspected(inspector, "team/api:1").referrers}
    stem = digest.replace(":", "-")
    # Over HTTP alone, a manifest that no tag leads to is not found without the referrers API.
    assert {one: (found[one].tag, str(found[one].artifact)) for one in (signature["digest"], listed["digest"])} == {
        signature["digest"]: (f"{stem}.sig", "signature"),
        listed["digest"]: (stem, "SBOM"),
    }
    assert found[child_sbom["digest"]].subject != digest
    assert len(found) == 3
    listing = {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [child(listed["digest"]), child(unlisted["digest"])],
    }
    registry.answers[f"/v2/team/api/referrers/{digest}"] = (json.dumps(listing).encode(), {})
    again = {one.digest: one for one in inspected(inspector, "team/api:1").referrers}
    assert len(again) == 4
    assert (again[listed["digest"]].tag, again[unlisted["digest"]].tag) == (stem, None)
    assert inspected(inspector, f"team/api@{unlisted['digest']}").subject == digest


def test_a_referrer_that_cannot_be_read_is_named(inspector: Inspector, registry: FakeRegistry, shelf: Shelf) -> None:
    digest = str(shelf.image("1")["digest"])
    stem = digest.replace(":", "-")
    registry.put_index([child(ZEROS)], at=f"team/api:{stem}")
    registry.put_manifest({"schemaVersion": 1}, OCI_MANIFEST, at=f"team/api:{stem}.sig")
    registry.tags["team/api"][f"{stem}.att"] = ZEROS  # type: ignore[index]  # it has tags
    errors = {one.tag: (one.digest, one.error) for one in inspected(inspector, "team/api:1").referrers}
    assert {tag: bool(error) for tag, (_, error) in errors.items()} == {
        stem: True,
        f"{stem}.sig": True,
        f"{stem}.att": True,
    }
    assert errors[stem][0] == ZEROS
    assert errors[f"{stem}.att"][0] is None


def test_predicates_of_cosign(inspector: Inspector, registry: FakeRegistry, shelf: Shelf) -> None:
    digest = str(shelf.image("1")["digest"])
    target = InFake(registry)
    statement = target.blob("", b"{}", "application/vnd.dsse.envelope.v1+json")
    manifest: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": target.blob("", b"{}", EMPTY_CONFIG_TYPE),
        "layers": [{**statement, "annotations": {"predicateType": "https://spdx.dev/Document"}}],
        "annotations": {"dev.sigstore.bundle.predicateType": "https://cosign.sigstore.dev/attestation/v1"},
    }
    target.manifest("team/api", f"{digest.replace(':', '-')}.att", manifest)
    (found,) = inspected(inspector, "team/api:1").referrers
    assert found.predicates == ("https://cosign.sigstore.dev/attestation/v1", "https://spdx.dev/Document")


def test_an_artifact(inspector: Inspector, registry: FakeRegistry) -> None:
    Shelf(InFake(registry), "chart").chart("1")
    found = inspected(inspector, "chart:1")
    assert (str(found.artifact), found.platforms) == ("Helm chart", ())
    assert found.only is not None
    assert found.only.config is None
    assert found.only.config_blob is not None
    assert inspector.read_config(found.found) == b'{"name": "app"}'


def test_an_index_of_layers(inspector: Inspector, registry: FakeRegistry) -> None:
    digest, size = registry.put_blob(b"layer")
    cache, _ = registry.put_blob(b"{}")
    parts = [
        {"mediaType": LAYER, "digest": digest, "size": size},
        {"mediaType": "application/vnd.buildkit.cacheconfig.v0", "digest": cache, "size": 2},
    ]
    registry.put_index(parts, at="cache:1")
    found = inspected(inspector, "cache:1")
    assert str(found.artifact) == "build cache"
    assert found.only is not None
    assert [layer.blob.digest for layer in found.only.layers] == [digest, cache]
    assert (str(found.only.artifact), found.only.size, found.children) == ("build cache", size + 2, ())


def test_an_index_of_indexes(inspector: Inspector, registry: FakeRegistry, shelf: Shelf) -> None:
    inner = shelf.index()
    registry.put_index([inner], at="app:1")
    found = inspected(inspector, "app:1")
    assert found.platforms == ("linux/amd64", "linux/arm64")
    assert (found.manifests[0].media_type, found.manifests[0].platform) == (OCI_INDEX, "linux/amd64, linux/arm64")


def test_a_history_that_does_not_fit_the_layers_tells_of_none(inspector: Inspector, shelf: Shelf) -> None:
    shelf.image("1", layers=[b"one", b"two"])
    found = inspected(inspector, "team/api:1").only
    assert found is not None
    assert found.config is not None
    assert [layer.step for layer in found.layers] == [None, None]
    assert len(found.config.history) == 5


def test_a_layer_that_the_registry_does_not_store_is_neither_counted_nor_a_problem(
    inspector: Inspector, registry: FakeRegistry
) -> None:
    media_type = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    foreign = {"mediaType": media_type, "digest": ZEROS, "size": 1 << 30, "urls": ["https://mcr.example.com/layer"]}
    stored = json.loads(registry.manifests[registry.put_image(platform="windows/amd64")][1])
    registry.put_manifest({**stored, "layers": [foreign, *stored["layers"]]}, OCI_MANIFEST, at="win:1")
    found = inspected(inspector, "win:1")
    assert found.only is not None
    assert (found.only.layers[0].blob.urls, found.only.problems) == (("https://mcr.example.com/layer",), ())
    assert found.size is not None
    assert found.size < 1 << 30


def test_what_is_missing_is_a_problem_of_its_manifest(inspector: Inspector, registry: FakeRegistry) -> None:
    amd, arm = registry.put_image(), registry.put_image(platform="linux/arm64")
    config = json.loads(registry.manifests[arm][1])["config"]["digest"]
    del registry.blobs[config]
    registry.put_index([child(amd, "linux/amd64"), child(arm, "linux/arm64"), child(ZEROS, "linux/s390x")], at="app:1")
    found = inspected(inspector, "app:1")
    problems = {one.platform: one.problems for one in found.manifests}
    assert problems["linux/amd64"] == ()
    assert config in problems["linux/arm64"][0]
    assert ZEROS in problems["linux/s390x"][0]
    # As `ls` counts it: what can be read.
    assert found.size == found.manifests[0].size


def test_a_layer_without_bytes_is_a_problem(inspector: Inspector, registry: FakeRegistry) -> None:
    registry.put_image("app:1", layers=[b""])
    found = inspected(inspector, "app:1")
    assert found.only is not None
    assert found.only.problems[0].endswith("is empty; push it again")
    assert found.only.config is not None


def refused(inspector: Inspector, name: str) -> LocalregError:
    with pytest.raises(LocalregError) as caught:
        inspected(inspector, name)
    return caught.value


def test_what_is_not_there(inspector: Inspector, shelf: Shelf) -> None:
    shelf.image("1")
    for name, hint in (
        ("nosuch", "localreg ls"),
        ("team/api:2", "localreg ls team/api"),
        (f"team/api@{ZEROS}", "localreg ls team/api --digests"),
    ):
        error = refused(inspector, name)
        assert (type(error), error.hint) == (RepositoryNotFoundError, hint)
    with pytest.raises(InvalidReferenceError):
        inspector.find("Team/API")


@pytest.mark.parametrize("fault", ["absent", "500", "html", "wrong"])
def test_a_tag_that_is_broken_can_be_removed(
    inspector: Inspector, registry: FakeRegistry, shelf: Shelf, fault: str
) -> None:
    shelf.image("1")
    registry.faults["/v2/team/api/manifests/1"] = fault
    error = refused(inspector, "team/api:1")
    if fault == "html":
        # The bytes are served, and are not a manifest.
        assert (error.message, error.hint) == (
            "`team/api:1` cannot be read: its manifest is invalid",
            "localreg inspect team/api:1 --raw",
        )
        assert inspector.find("team/api:1").stored.data == b"<html>a login page</html>"
    else:
        assert error.message.startswith("tag `team/api:1` is broken: the registry ")
        assert error.hint == "localreg rm team/api:1"
    assert isinstance(error, RegistryError)


def test_a_login_is_not_damage(inspector: Inspector, registry: FakeRegistry, shelf: Shelf) -> None:
    shelf.image("1")
    registry.faults["/v2/team/api/manifests/1"] = "401"
    assert "requires a login" in refused(inspector, "team/api:1").message
    registry.faults["/v2/team/api/manifests/1"] = "gone"
    assert type(refused(inspector, "team/api:1")) is RegistryUnreachableError


def test_a_tag_whose_removal_was_killed_is_gone(inspector: Inspector, registry: FakeRegistry) -> None:
    digest, size = registry.put_blob(b"{}")
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": EMPTY_CONFIG_TYPE, "digest": digest, "size": size},
        "layers": [],
        "annotations": {THROWN_AWAY: "1"},
    }
    registry.put_manifest(manifest, OCI_MANIFEST, at="app:1")
    error = refused(inspector, "app:1")
    assert (type(error), error.hint) == (RepositoryNotFoundError, "localreg rm app:1")


def test_the_config_of_an_index_is_that_of_its_only_image(inspector: Inspector, shelf: Shelf) -> None:
    shelf.index("one", architectures=["amd64"])
    assert b"amd64" in inspector.read_config(inspector.find("team/api:one"))
    shelf.index("two")
    with pytest.raises(UsageError) as caught:
        inspector.read_config(inspector.find("team/api:two"))
    assert caught.value.hint == "localreg inspect team/api:two --config --platform linux/amd64"


def test_the_manifest_of_docker(inspector: Inspector, registry: FakeRegistry) -> None:
    registry.put_image("app:latest", media_type=DOCKER_MANIFEST)
    assert inspected(inspector, "app").media_type == DOCKER_MANIFEST
