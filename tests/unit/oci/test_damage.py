"""Blobs that a full disk cut."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import replace

import pytest
from support.registries.fake import LAYER, FakeRegistry

from localreg.errors import RegistryUnreachableError
from localreg.oci.api import RegistryClient
from localreg.oci.damage import find_damage
from localreg.oci.manifest import Descriptor

TAR = bytes(range(256)) * 40
CONTENT = gzip.compress(TAR)


@pytest.fixture
def client(registry: FakeRegistry) -> Iterator[RegistryClient]:
    with RegistryClient(registry.base_url) as found:
        yield found


def put(registry: FakeRegistry, data: bytes, media_type: str = LAYER) -> Descriptor:
    digest, size = registry.put_blob(data)
    return Descriptor(media_type, digest, size)


def requests_for(registry: FakeRegistry, blob: Descriptor) -> int:
    return registry.requests[f"/v2/app/blobs/{blob.digest}"]


@pytest.mark.parametrize("media_type", [LAYER, "application/vnd.docker.image.rootfs.diff.tar.gzip", "text/plain"])
def test_a_whole_one_takes_one_request(registry: FakeRegistry, client: RegistryClient, media_type: str) -> None:
    blob = put(registry, CONTENT, media_type)
    assert find_damage(client, "app", blob) is None
    assert requests_for(registry, blob) == 1


@pytest.mark.parametrize("left", [0, 3, 5000])
def test_another_length_than_in_the_manifest(registry: FakeRegistry, client: RegistryClient, left: int) -> None:
    blob = put(registry, TAR, "text/plain")
    registry.blobs[blob.digest] = TAR[:left]
    damage = find_damage(client, "app", blob)
    assert damage is not None
    assert f" {left} bytes" in damage
    assert f" {len(TAR)}" in damage


@pytest.mark.parametrize("left", [0, 3, 19, len(CONTENT) // 2, len(CONTENT) - 1])
def test_one_whose_length_the_engine_took_from_the_registry(
    registry: FakeRegistry, client: RegistryClient, left: int
) -> None:
    blob = replace(put(registry, CONTENT), size=left)
    registry.blobs[blob.digest] = CONTENT[:left]
    damage = find_damage(client, "app", blob)
    assert damage is not None
    assert f" {left} bytes" in damage


@pytest.mark.parametrize("data", [b"", b"layer", gzip.compress(b"no tar")])
def test_one_that_only_looks_cut_is_read_and_compared(
    registry: FakeRegistry, client: RegistryClient, data: bytes
) -> None:
    blob = put(registry, data)
    assert find_damage(client, "app", blob) is None


def test_one_that_is_missing_or_cannot_be_read(registry: FakeRegistry, client: RegistryClient) -> None:
    missing = Descriptor(LAYER, f"sha256:{'0' * 64}", 100)
    assert find_damage(client, "app", missing) is not None
    blob = put(registry, CONTENT)
    for fault in ("500", "cut"):
        registry.faults[f"/v2/app/blobs/{blob.digest}"] = fault
        assert find_damage(client, "app", blob) is not None
    registry.faults[f"/v2/app/blobs/{blob.digest}"] = "gone"
    with pytest.raises(RegistryUnreachableError):
        find_damage(client, "app", blob)


def test_a_registry_that_sends_no_parts_is_believed(registry: FakeRegistry, client: RegistryClient) -> None:
    blob = put(registry, CONTENT)
    for fault in ("endless", "html", "loop", "301", "302", "403", "429", "503"):
        registry.faults[f"/v2/app/blobs/{blob.digest}"] = fault
        assert find_damage(client, "app", blob) is None
