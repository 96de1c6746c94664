"""A registry whose address Podman takes for no part of an image's name."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.engines.fake import FakeEngine

from localreg.cli.podman_hint import find_plain_http, hint_for
from localreg.engines.common.ports import published_port
from localreg.engines.values import AnonymousMount, ContainerSpec, Endpoint, EngineInfo
from localreg.registry.container import Registry
from localreg.system.address import Address

PODMAN = EngineInfo("podman", "5.4.2", "unix:///p.sock")


def test_no_configuration_helps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    engine = FakeEngine()
    engine.add_image("app:1")
    spec = ContainerSpec("registry", "app:1", 5000, Address("fd00::1", 5000), AnonymousMount("/data"))
    port = published_port(5000, "fd00::1", 5000, Endpoint("unix:///p.sock"))
    registry = Registry(replace(engine.create_container(spec), ports=(port,)))
    assert hint_for(PODMAN, registry, "localreg") is None
    found = find_plain_http(PODMAN, registry)
    assert found
    assert "IPv6" in found.line("localreg")
