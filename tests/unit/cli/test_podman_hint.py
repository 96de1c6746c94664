"""Registries that no configuration of Podman on this machine helps to use."""

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


def registry_at(host: str, engine_url: str) -> Registry:
    engine = FakeEngine()
    engine.add_image("app:1")
    spec = ContainerSpec("registry", "app:1", 5000, Address(host, 5000), AnonymousMount("/data"))
    port = published_port(5000, host, 5000, Endpoint(engine_url))
    return Registry(replace(engine.create_container(spec), ports=(port,)))


def test_no_configuration_helps_an_address_that_is_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    registry = registry_at("fd00::1", "unix:///p.sock")
    assert hint_for(PODMAN, registry, "localreg") is None
    found = find_plain_http(PODMAN, registry)
    assert found
    assert "IPv6" in found.line("localreg")


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_no_configuration_here_helps_localhost_of_another_machine(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("HOME", "/nowhere")
    here, there = (registry_at(host, url) for url in ("unix:///p.sock", "ssh://there/p.sock"))
    assert hint_for(PODMAN, here, "localreg")
    assert find_plain_http(PODMAN, here)
    assert hint_for(PODMAN, there, "localreg") is None
    assert find_plain_http(PODMAN, there) is None
