"""What `push` and `pull` say if the engine does not reach the registry: with both in memory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.engines.fake import FakeEngine

from localreg.cli.app import main
from localreg.engines.common.messages import transfer_error
from localreg.engines.values import Progress


@pytest.mark.parametrize("command", ["push", "pull"])
@pytest.mark.parametrize(
    ("said", "message", "hint"),
    [
        ("dial tcp 127.0.0.1:5000: connect: connection refused", "cannot reach", "localreg status"),
        ("proxyconnect tcp: dial tcp 192.0.2.1:3128: i/o timeout", "proxy", "add localhost to the NO_PROXY"),
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
    def fail(reference: str, *, plain_http: bool) -> Iterator[Progress]:
        del plain_http
        yield Progress("0123456789ab")
        raise transfer_error(reference, said)

    monkeypatch.setattr(up, f"{command}_image", fail)
    assert main([command, "app:1"]) == 6
    error = " ".join(capsys.readouterr().err.split())
    assert message in error
    assert f"{location}/app:1" in error
    assert f"hint: {hint}" in error
