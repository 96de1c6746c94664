"""What a registry's labels say, and whether that is what was asked for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fakes import FakeEngine

from localreg.engines.base import Address, AnonymousMount, ContainerSpec
from localreg.errors import ConflictError
from localreg.images import plan_push
from localreg.registry_container import Registry, RegistryOptions

OPTIONS = RegistryOptions(port=5000, host="127.0.0.1", image="registry:2.8.3", volume="localreg-registry")


@pytest.mark.parametrize(
    ("asked", "differing"),
    [
        (RegistryOptions(), ()),
        (OPTIONS, ()),
        (RegistryOptions(port=5001, host="127.0.0.1"), ("port",)),
        (RegistryOptions(ephemeral=True, volume="x"), ("volume", "ephemeral")),
        (RegistryOptions(image="docker.io/library/registry:2.8.3"), ()),
        (RegistryOptions(image="registry"), ("image",)),
        (RegistryOptions(image="localhost/registry:2.8.3"), ("image",)),
        (RegistryOptions(image="sha256:" + "0" * 64), ("image",)),
    ],
)
def test_only_what_was_asked_for_can_differ(asked: RegistryOptions, differing: tuple[str, ...]) -> None:
    assert asked.differing(OPTIONS) == differing


def test_labels_keep_the_options() -> None:
    assert RegistryOptions.from_json(OPTIONS.to_json()) == OPTIONS
    assert RegistryOptions.from_json('{"port": 1, "of a later release": 2}') == RegistryOptions(port=1)
    for garbage in (None, "", "no JSON", "[]"):
        assert RegistryOptions.from_json(garbage) == RegistryOptions()


def test_a_container_that_publishes_nothing_gives_no_image_a_name() -> None:
    engine = FakeEngine()
    engine.add_image("localhost/app:1")
    spec = ContainerSpec("registry", "localhost/app:1", 5000, Address("127.0.0.1", 5000), AnonymousMount("/data"))
    registry = Registry(replace(engine.create_container(spec), ports=()))
    with pytest.raises(ConflictError, match="publishes no port"):
        plan_push(engine, registry, "localhost/app:1")
