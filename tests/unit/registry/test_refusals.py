"""Why a registry takes no pushes, from the environment of its container."""

from __future__ import annotations

import pytest
from support.engines.fake import FakeEngine

from localreg.engines.values import AnonymousMount, ContainerSpec
from localreg.oci.refusal import PushRefusal
from localreg.registry.container import Registry
from localreg.registry.refusals import find_refusal, why
from localreg.system.address import Address

UPSTREAM = {"REGISTRY_PROXY_REMOTEURL": "https://someone:secret@registry-1.example:8443/"}


def registry_with(environment: dict[str, str]) -> Registry:
    engine = FakeEngine()
    engine.add_image("registry:2.8.3")
    address, mount = Address("127.0.0.1", 5000), AnonymousMount("/data")
    spec = ContainerSpec("registry", "registry:2.8.3", 5000, address, mount, environment=environment)
    return Registry(engine.create_container(spec))


@pytest.mark.parametrize(
    ("environment", "refusal"),
    [
        ({}, None),
        (UPSTREAM, PushRefusal.CACHE),
        ({"REGISTRY_STORAGE_MAINTENANCE_READONLY": "{enabled: true}"}, PushRefusal.READ_ONLY),
        ({"REGISTRY_STORAGE_MAINTENANCE_READONLY": '{"enabled":true}'}, PushRefusal.READ_ONLY),
        ({"REGISTRY_STORAGE_MAINTENANCE": "{readonly: {enabled: true}}"}, PushRefusal.READ_ONLY),
        ({"REGISTRY_STORAGE_MAINTENANCE_READONLY": "{enabled: false}"}, None),
    ],
)
def test_the_environment_tells(environment: dict[str, str], refusal: PushRefusal | None) -> None:
    assert find_refusal(registry_with(environment)) is refusal


def test_the_upstream_is_named_without_its_login() -> None:
    assert why(PushRefusal.CACHE, registry_with(UPSTREAM)).endswith(" registry-1.example")
    assert "another registry" in why(PushRefusal.CACHE, registry_with({}))
