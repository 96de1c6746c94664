"""The address that Docker's SDK is given."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from localreg.engines.docker.connection import Connection
from localreg.engines.docker.images import _stored_login
from localreg.engines.values import Endpoint


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("tcp://127.0.0.1", "http://127.0.0.1:2375"),
        ("tcp://[::1]", "http://[::1]:2375"),
        ("https://docker.test", "https://docker.test:2376"),
        ("tcp://127.0.0.1:5555", "http://127.0.0.1:5555"),
    ],
)
def test_a_host_alone_has_dockers_port(url: str, base: str) -> None:
    connection = Connection(Endpoint(url), api_version="1.41")
    assert connection.client.base_url == base
    connection.close()


SHAPES = [
    b"",
    b"null",
    b"[]",
    b'"x"',
    b'{"auths": null}',
    b'{"auths": []}',
    b'{"auths": 5}',
    b'{"auths": {"a": null}}',
    b'{"auths": {"a": "x"}}',
    b'{"auths": {"a": {"auth": "YWJj"}}}',
    b'{"auths": {"a": {"auth": "!!"}}}',
    b'{"auths": {"a": {"auth": null}}}',
    b'{"auths": {"\xff": {}}}',
    b'{"credsStore": "nosuch"}',
    b'{"credHelpers": {"localhost:5000": "nosuch"}}',
    b'{"credHelpers": null, "credsStore": null, "HttpHeaders": null}',
    b'{"proxies": null}',
    b'{"proxies": {"default": null}}',
]
"""Of a `config.json`: what `docker` accepts, and what a hand or a tool has broken."""


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("data", SHAPES)
def test_the_configuration_of_the_user_stops_nothing(
    data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.json").write_bytes(data)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    connection = Connection(Endpoint("unix:///nowhere"), api_version="1.41")
    connection.close()
    assert _stored_login("localhost:5000/app:1") == {}


def test_a_login_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"auths": {"localhost:5000": {"auth": "bWU6c2VjcmV0"}}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    assert _stored_login("localhost:5000/app:1")["username"] == "me"
