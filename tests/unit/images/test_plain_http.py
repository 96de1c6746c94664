"""An engine that would expect TLS from the registry is not asked to transfer anything."""

from __future__ import annotations

import pytest
from support.engines.fake import FakeEngine

from localreg.engines.values import AnonymousMount, ContainerSpec
from localreg.errors import RegistryError
from localreg.images.pull import plan_pull, pull_image
from localreg.images.push import push_image
from localreg.images.tag import plan_tag
from localreg.registry.container import Registry, volume_labels
from localreg.system.address import Address


def test_neither_a_push_nor_a_pull_begins() -> None:
    engine = FakeEngine()
    engine.add_image("registry:2.8.3")
    engine.add_image("app:1")
    address, mount = Address("127.0.0.1", 5000), AnonymousMount("/data")
    spec = ContainerSpec("registry", "registry:2.8.3", 5000, address, mount, labels=volume_labels("registry"))
    registry = Registry(engine.create_container(spec))
    engine.expecting_tls.add("localhost:5000")
    # Nothing listens there: who asked it would be told so.
    with pytest.raises(RegistryError, match="HTTPS for localhost:5000") as caught:
        push_image(engine, registry, plan_tag(engine, registry, "app:1"), on_progress=lambda _step: None)
    assert caught.value.hint == "allow it"
    assert engine.find_image("localhost:5000/app:1") is None
    with pytest.raises(RegistryError, match="HTTPS for localhost:5000"):
        pull_image(engine, registry, plan_pull(registry, "app:1"), on_progress=lambda _step: None)
