"""What becomes of podman-py's errors, with a socket that answers as a test wants; real Podman is in tests/contract."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from localreg.engines.podman.connection import Connection
from localreg.engines.podman.engine import PodmanEngine
from localreg.engines.values import Endpoint
from localreg.errors import EngineError, EngineLostError, ImageNotFoundError

PING = b"HTTP/1.1 200 OK\r\nConnection: close\r\nLibpod-API-Version: 5.4.2\r\nContent-Length: 2\r\n\r\nOK"
NO_LIST = b"HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"


def assert_in_words(error: EngineLostError) -> None:
    """The reason is given in words, not as the text of a Python exception."""
    (reason,) = error.details
    assert re.fullmatch(r"[A-Za-z ]+", reason)


@contextmanager
def answering(path: Path, *answers: bytes) -> Iterator[Endpoint]:
    """A server that gives each connection one answer and hangs up."""

    def serve() -> None:
        for answer in answers:
            near, _ = server.accept()
            with near:
                near.recv(65536)
                near.sendall(answer)

    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield Endpoint(f"unix://{path}")
        thread.join()


def test_a_service_that_hangs_up_is_said_to(tmp_path: Path) -> None:
    with answering(tmp_path / "s", b"") as endpoint, pytest.raises(EngineLostError) as caught:
        PodmanEngine.open(endpoint)
    assert_in_words(caught.value)


def test_a_stream_that_breaks_off_is_said_so(tmp_path: Path) -> None:
    half = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n22\r\n{"stream":"Copying blob sha256:'
    with (
        answering(tmp_path / "s", PING, NO_LIST, half) as endpoint,
        PodmanEngine.open(endpoint) as engine,
        pytest.raises(EngineLostError) as caught,
    ):
        list(engine.push_image("localhost:5000/app:1", plain_http=True))
    assert_in_words(caught.value)


def test_a_pull_that_is_refused_is_said_in_words(tmp_path: Path) -> None:
    body = b'{"message":"manifest unknown: manifest unknown"}'
    refused = b"HTTP/1.1 404 Not Found\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    with (
        answering(tmp_path / "s", PING, refused) as endpoint,
        PodmanEngine.open(endpoint) as engine,
        pytest.raises(ImageNotFoundError) as caught,
    ):
        list(engine.pull_image("localhost:5000/app:1", plain_http=True))
    assert caught.value.details == ("manifest unknown: manifest unknown",)


def test_nothing_has_no_name(tmp_path: Path) -> None:
    with answering(tmp_path / "s", PING) as endpoint, PodmanEngine.open(endpoint) as engine:
        assert engine.find_container("") is None
        assert engine.find_volume("") is None
        assert engine.find_image("") is None


def test_a_configuration_that_podman_py_cannot_read_is_an_error_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "containers").mkdir()
    (tmp_path / "containers/containers.conf").write_text("[engine\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with pytest.raises(EngineError, match="podman-py") as caught:
        Connection(Endpoint("unix:///no.sock"))
    assert len(caught.value.details) == 1
