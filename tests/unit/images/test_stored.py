"""What the registry has after a push."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import pytest
from support.engines.fake import FakeEngine
from support.registries.fake import FakeRegistry, child

from localreg.engines.values import AnonymousMount, ContainerSpec, EngineInfo
from localreg.errors import RegistryError
from localreg.images.stored import check_stored
from localreg.images.transfer import Transfer
from localreg.oci.reference import parse_reference
from localreg.registry.container import SCHEMA_LABEL, Registry
from localreg.system.address import Address

SAID = f"sha256:{'5' * 64}"
CONTENT = gzip.compress(bytes(1024) + b"content" * 512)
BLOBS = "/var/lib/registry/docker/registry/v2/blobs"


@pytest.fixture
def check(registry: FakeRegistry) -> Callable[..., str | None]:
    """Check `app:1` in a container, of localreg unless told otherwise."""

    def checked(
        *, said: str | None = None, engine: str = "docker", name: str = "registry", ours: bool = True
    ) -> str | None:
        fake = FakeEngine(EngineInfo("podman" if engine == "podman" else "docker", "0.0.0", "fake:"))
        fake.add_image("registry:2.8.3")
        address = Address("127.0.0.1", int(registry.base_url.rpartition(":")[2]))
        labels = {SCHEMA_LABEL: "1"} if ours else {}
        spec = ContainerSpec(name, "registry:2.8.3", 5000, address, AnonymousMount("/data"), labels)
        found = Registry(fake.create_container(spec))
        transfer = Transfer("app:1", found.reference_of(parse_reference("app:1")))
        return check_stored(fake, found, transfer, said=said)

    return checked


def file_of(digest: str) -> str:
    encoded = digest.removeprefix("sha256:")
    return f"{BLOBS}/sha256/{encoded[:2]}/{encoded}/data"


def layer_of(registry: FakeRegistry) -> str:
    (digest,) = (digest for digest, data in registry.blobs.items() if data == CONTENT)
    return digest


def test_a_whole_image_has_the_digest_of_its_manifest(registry: FakeRegistry, check: Callable[..., str | None]) -> None:
    digest = registry.put_image("app:1", layers=[CONTENT])
    assert check() == digest


def test_every_image_of_an_index_is_looked_at(registry: FakeRegistry, check: Callable[..., str | None]) -> None:
    one, two = registry.put_image(), registry.put_image(platform="linux/arm64", layers=[CONTENT])
    missing = child(f"sha256:{'0' * 64}")
    digest = registry.put_index([child(one), child(two), missing], at="app:1")
    assert check() == digest
    registry.blobs[layer_of(registry)] = CONTENT[:-1]
    with pytest.raises(RegistryError):
        check()


def test_a_layer_that_was_cut_is_removed_and_pushed_again(
    registry: FakeRegistry, check: Callable[..., str | None]
) -> None:
    registry.put_image("app:1", layers=[CONTENT])
    layer = layer_of(registry)
    registry.blobs[layer] = b""
    with pytest.raises(RegistryError) as caught:
        check()
    assert caught.value.hint == f"docker exec registry rm {file_of(layer)} && localreg push app:1"
    assert any(layer in line for line in caught.value.details)
    with pytest.raises(RegistryError) as caught:
        check(engine="podman", name="other", ours=False)
    # It may have a cache, which would go on offering what is gone.
    assert caught.value.hint == (
        f"podman exec other rm {file_of(layer)} && podman restart other && localreg --name other push app:1"
    )


@pytest.mark.parametrize(
    ("said", "command"), [(SAID, f"rm {file_of(SAID)}"), (None, f"find {BLOBS} -name data -size 0 -exec rm {{}} +")]
)
def test_a_manifest_that_cannot_be_read_back(
    registry: FakeRegistry, check: Callable[..., str | None], said: str | None, command: str
) -> None:
    registry.faults["/v2/app/manifests/1"] = "500"
    with pytest.raises(RegistryError) as caught:
        check(said=said)
    assert caught.value.hint == f"docker exec registry {command} && localreg push app:1"


def test_one_that_requires_a_login_is_not_asked_more(registry: FakeRegistry, check: Callable[..., str | None]) -> None:
    registry.needs_login = True
    assert check(said=SAID) == SAID


def test_a_layer_that_is_never_in_a_registry_is_not_missed(
    registry: FakeRegistry, check: Callable[..., str | None]
) -> None:
    digest = registry.put_image("app:1", layers=[CONTENT])
    media_type, data = registry.manifests[digest]
    kind = b"vnd.oci.image.layer.nondistributable.v1.tar+gzip"
    foreign = data.replace(b'vnd.oci.image.layer.v1.tar+gzip"', kind + b'", "urls": ["https://elsewhere.example"]')
    registry.answers["/v2/app/manifests/1"] = (foreign, {"Content-Type": media_type})
    del registry.blobs[layer_of(registry)]
    assert check() is not None
