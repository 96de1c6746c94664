"""What the registry is asked about an image."""

from __future__ import annotations

import pytest
from support.engines.fake import FakeEngine
from support.registries.fake import FakeRegistry

from localreg.engines.values import AnonymousMount, ContainerSpec
from localreg.errors import RegistryError, RepositoryNotFoundError
from localreg.images.pull import plan_pull, pull_image
from localreg.images.transfer import Transferred
from localreg.registry.container import Registry
from localreg.system.address import Address


def pull_from(fake: FakeRegistry) -> Transferred:
    """Pull `app:1` with an engine in memory from a registry in memory."""
    engine = FakeEngine()
    image = engine.add_image("registry:2.8.3")
    address = Address("127.0.0.1", int(fake.base_url.rpartition(":")[2]))
    spec = ContainerSpec("registry", "registry:2.8.3", 5000, address, AnonymousMount("/data"))
    registry = Registry(engine.create_container(spec))
    transfer = plan_pull(registry, "app:1")
    engine.registries[registry.get_location()] = {str(transfer.reference): image}
    return pull_image(engine, registry, transfer, on_progress=lambda _step: None)


@pytest.mark.parametrize(("tags", "hint"), [(["app:2"], "localreg ls app"), (["other:1"], "localreg ls")])
def test_the_hint_lists_what_the_registry_has(registry: FakeRegistry, tags: list[str], hint: str) -> None:
    for tag in tags:
        registry.put_image(tag)
    with pytest.raises(RepositoryNotFoundError) as caught:
        pull_from(registry)
    assert caught.value.hint == hint


def test_a_registry_that_is_busy_for_a_moment_is_asked_again(registry: FakeRegistry) -> None:
    digest = registry.put_image("app:1")
    registry.faults["/v2/app/manifests/1"] = "busy"
    assert pull_from(registry).digest == digest
    assert registry.requests["/v2/app/manifests/1"] == 2


@pytest.mark.parametrize(("status", "times"), [(500, 4), (503, 1)])
def test_a_registry_that_fails_all_the_time_is_not_asked_for_ever(
    registry: FakeRegistry, status: int, times: int
) -> None:
    registry.faults["/v2/app/manifests/1"] = str(status)
    with pytest.raises(RegistryError) as caught:
        pull_from(registry)
    assert caught.value.status == status
    assert registry.requests["/v2/app/manifests/1"] == times
