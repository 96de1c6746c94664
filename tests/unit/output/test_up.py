"""The result of `up`: the next command works as typed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.engines.fake import FakeEngine

from localreg.engines.common.ports import published_port
from localreg.engines.values import AnonymousMount, ContainerSpec, Endpoint
from localreg.output.up import render
from localreg.registry.container import Registry
from localreg.registry.up import UpAction, UpResult
from localreg.system.address import Address


@pytest.mark.parametrize(
    ("host", "command"),
    [
        ("127.0.0.1", "localreg push IMAGE"),
        ("0.0.0.0", "localreg push IMAGE"),
        # No client uses plain HTTP there without being told.
        ("192.0.2.1", "localreg trust"),
    ],
)
def test_the_next_command_is_for_the_address(host: str, command: str) -> None:
    engine = FakeEngine()
    engine.add_image("registry:2.8.3")
    spec = ContainerSpec("registry", "registry:2.8.3", 5000, Address("127.0.0.1", 5000), AnonymousMount("/data"))
    ports = (published_port(5000, host, 5000, Endpoint("unix:///fake")),)
    registry = Registry(replace(engine.create_container(spec), ports=ports))
    shown = render(UpResult(registry, UpAction.CREATED), engine.info(), version="2.8.3", command="localreg")
    assert shown.table(80).splitlines()[-1].split(maxsplit=1) == ["next", command]
