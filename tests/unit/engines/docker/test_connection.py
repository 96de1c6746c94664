"""The address that Docker's SDK is given."""

from __future__ import annotations

import pytest

from localreg.engines.docker.connection import Connection
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
