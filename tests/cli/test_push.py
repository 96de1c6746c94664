"""What `push` and `pull` say if the engine does not reach the registry: with both in memory."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest
from support.engines.fake import FakeEngine

from localreg.cli.app import main
from localreg.engines.common.messages import transfer_error
from localreg.engines.values import Progress
from localreg.oci.access import Credentials


@pytest.mark.parametrize("command", ["push", "pull"])
@pytest.mark.parametrize(
    ("said", "message", "hint"),
    [
        (
            "dial tcp 127.0.0.1:5000: connect: connection refused",
            "cannot reach",
            "localreg doctor registry engine-view",
        ),
        ("proxyconnect tcp: dial tcp 192.0.2.1:3128: i/o timeout", "proxy", "add 127.0.0.1 to the NO_PROXY"),
    ],
)
def test_a_registry_that_the_engine_does_not_reach(
    up: FakeEngine,
    location: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    command: str,
    said: str,
    message: str,
    hint: str,
) -> None:
    def fail(reference: str, *, plain_http: bool, login: Credentials | None = None) -> Iterator[Progress]:
        del plain_http, login
        yield Progress("0123456789ab")
        raise transfer_error(reference, said)

    monkeypatch.setattr(up, f"{command}_image", fail)
    assert main([command, "app:1"]) == 6
    error = " ".join(capsys.readouterr().err.split())
    assert message in error
    assert f"{location}/app:1" in error
    assert f"hint: {hint}" in error


@pytest.fixture
def namesake(location: str) -> Iterator[str]:
    """A server on the other loopback address, with the registry's port."""
    address = f"[::1]:{location.rpartition(':')[2]}"
    with contextlib.closing(socket.socket(socket.AF_INET6)) as server:
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        server.bind(("::1", int(location.rpartition(":")[2])))
        server.listen()
        yield address


def test_a_server_that_localhost_leads_to_is_named(
    up: FakeEngine, namesake: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(reference: str, *, plain_http: bool, login: Credentials | None = None) -> Iterator[Progress]:
        del plain_http, login
        yield Progress("0123456789ab")
        raise transfer_error(reference, "invalid status code from registry 404 (Not Found)")

    monkeypatch.setattr(up, "push_image", fail)
    assert main(["push", "app:1"]) == 6
    error = " ".join(capsys.readouterr().err.split())
    assert f"listens on {namesake}; `localhost` may lead there" in error
    assert "hint: localreg up --recreate --port " in error
