"""Docker's SDK: its low-level client and its errors."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import docker
import docker.errors
import docker.tls
import docker.utils.config
import requests.exceptions
import urllib3.exceptions

from localreg.engines.common.ports import PLAIN_PORT, TLS_PORT
from localreg.engines.common.reasons import reason_for_loss
from localreg.engines.common.ssh import SshAdapter, dial_command
from localreg.engines.values import Endpoint
from localreg.errors import EngineError, EngineLostError, LocalregError
from localreg.system.ssh import SshAddress

_REQUEST_SECONDS = 60


class Connection:
    """The clients for one daemon."""

    def __init__(self, endpoint: Endpoint, *, api_version: str | None) -> None:
        self._endpoint = endpoint
        self._ssh = SshAdapter(_dial_command(endpoint)) if endpoint.is_ssh else None
        with contextlib.ExitStack() as undo:
            if self._ssh is not None:
                undo.callback(self._ssh.close)
            # Asks for the version if that is not known.
            self.client = self._new_client(version=api_version or "auto", timeout=_REQUEST_SECONDS)
            undo.pop_all()
        self._patient: docker.APIClient | None = None

    @property
    def patient(self) -> docker.APIClient:
        """A client without a timeout between two events, because a large layer can take long."""
        if self._patient is None:
            self._patient = self._new_client(version=self.client.api_version, timeout=None)
        return self._patient

    def _new_client(self, *, version: str, timeout: float | None) -> docker.APIClient:
        # Discovery does not use a proxy, so this must not either.
        with _without_configuration():
            if self._ssh is not None:
                client: docker.APIClient = _SshClient(self._ssh, version=version, timeout=timeout)
            else:
                client = _client(self._endpoint, version=version, timeout=timeout)
        client.trust_env = False
        return client

    def close(self) -> None:
        """Close the connections."""
        self.client.close()
        if self._patient is not None:
            self._patient.close()


class _SshClient(docker.APIClient):
    """A client whose requests all go through an adapter, also those that its constructor sends."""

    def __init__(self, adapter: SshAdapter, **options: Any) -> None:
        self._ssh = adapter
        super().__init__("http://docker:2375", **options)

    def get_adapter(self, url: str) -> Any:  # noqa: ARG002 -- there is only one
        return self._ssh

    def close(self) -> None:
        super().close()
        self._ssh.close()


def _dial_command(endpoint: Endpoint) -> list[str]:
    path = SshAddress.parse(endpoint.url).path
    socket = [f"--host=unix://{path}"] if path else []
    return dial_command(endpoint, "docker", *socket, "system", "dial-stdio")


def _client(endpoint: Endpoint, *, version: str, timeout: float | None) -> docker.APIClient:
    files = endpoint.tls
    tls: docker.tls.TLSConfig | bool = False
    if files is not None:
        pair = (str(files.certificate), str(files.key)) if files.certificate and files.key else None
        tls = docker.tls.TLSConfig(
            client_cert=pair,
            ca_cert=str(files.ca_certificate) if files.ca_certificate else None,
            verify=not files.skip_verify,
        )
    return docker.APIClient(
        _with_port(endpoint),
        version=version,
        timeout=timeout,  # type: ignore[arg-type]  # None means no timeout, which the stubs do not know
        tls=tls,
    )


@contextlib.contextmanager
def _without_configuration() -> Iterator[None]:
    """Keep the SDK from reading the user's `config.json`, of which localreg needs nothing here.

    The SDK fails on shapes that the `docker` program accepts, such as a login without a colon.
    """
    read = docker.utils.config.load_general_config
    docker.utils.config.load_general_config = lambda *_: {"auths": {}}
    try:
        yield
    finally:
        docker.utils.config.load_general_config = read


def _with_port(endpoint: Endpoint) -> str:
    """The URL with Docker's port if it names a host alone, as the `docker` program accepts it and the SDK does not."""
    parts = urlsplit(endpoint.url)
    if parts.scheme not in ("tcp", "http", "https") or parts.port is not None:
        return endpoint.url
    port = TLS_PORT if endpoint.tls is not None or parts.scheme == "https" else PLAIN_PORT
    return parts._replace(netloc=f"{parts.netloc}:{port}").geturl()


@contextlib.contextmanager
def docker_errors(doing: str) -> Iterator[None]:
    """Turn errors of the SDK and its HTTP libraries into localreg's.

    Args:
        doing: The action, as it follows "could not".
    """
    try:
        yield
    except LocalregError:
        raise
    except docker.errors.APIError as exc:
        raise EngineError(f"Docker could not {doing}", details=said(exc)) from exc
    except (
        docker.errors.DockerException,
        docker.errors.StreamParseError,
        requests.exceptions.RequestException,
        urllib3.exceptions.HTTPError,
    ) as exc:
        raise EngineLostError(
            f"lost the connection to Docker: could not {doing}", details=[reason_for_loss(exc)]
        ) from exc


def said(error: docker.errors.APIError) -> list[str]:
    """Docker's message."""
    return str(error.explanation or error).splitlines()
