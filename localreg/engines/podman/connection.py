"""Podman's API through podman-py's HTTP client, and its errors."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import podman
import podman.errors
import requests.adapters
import requests.exceptions
import urllib3.exceptions

from localreg.engines.common.reasons import reason_for_loss
from localreg.engines.common.ssh import SshAdapter, dial_command
from localreg.engines.values import Endpoint
from localreg.errors import EngineError, EngineLostError, LocalregError
from localreg.system.ssh import SshAddress

REQUEST_SECONDS = 60
"""Timeout of a request."""
NEVER = 365 * 24 * 3600.0
"""A year. Podman-py would replace None by its default timeout."""


class Connection:
    """Requests to one Podman service; each succeeds or raises podman-py's error."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._ssh = SshAdapter(_dial_command(endpoint)) if endpoint.is_ssh else None
        try:
            url = endpoint.url if self._ssh is None else "http://podman"
            self.client = podman.PodmanClient(base_url=url, timeout=REQUEST_SECONDS)
        except Exception as exc:  # the constructor reads containers.conf, and can raise many errors
            raise EngineError("podman-py cannot read Podman's configuration", details=[str(exc)]) from exc
        # Discovery does not use a proxy, so this must not either.
        self.client.api.trust_env = False
        if self._ssh is not None:
            self.client.api.mount("http://", self._ssh)

    def get(self, path: str, **options: Any) -> Any:
        """Send a GET request."""
        response = self.client.api.get(path, **options)
        response.raise_for_status()
        return response

    def post(self, path: str, **options: Any) -> Any:
        """Send a POST request."""
        response = self.client.api.post(path, **options)
        response.raise_for_status()
        return response

    def put(self, path: str, **options: Any) -> None:
        """Send a PUT request."""
        self.client.api.put(path, **options).raise_for_status()

    def delete(self, path: str, **options: Any) -> None:
        """Send a DELETE request; does nothing if the object does not exist."""
        with contextlib.suppress(podman.errors.NotFound):
            self.client.api.delete(path, **options).raise_for_status()

    def close(self) -> None:
        """Close all connections, which would keep an idle service alive."""
        # urllib3 2 keeps idle connections open while another one of the pool is in use, such as by a push that hangs.
        for adapter in self.client.api.adapters.values():
            if isinstance(adapter, requests.adapters.HTTPAdapter):
                adapter.poolmanager.pools.dispose_func = lambda pool: pool.close()
        self.client.close()  # type: ignore[no-untyped-call]  # podman-py has no types


def is_rootless(connection: Connection, endpoint: Endpoint) -> bool:
    """Judge by the owner of the socket, because asking Podman takes a quarter of a second."""
    if endpoint.socket is not None and not endpoint.is_machine:
        try:
            return Path(endpoint.socket).stat().st_uid != 0
        except OSError as exc:
            raise EngineLostError(f"Podman's socket `{endpoint.socket}` was removed", details=[str(exc)]) from exc
    return bool(connection.get("/info").json()["host"]["security"]["rootless"])


def _dial_command(endpoint: Endpoint) -> list[str]:
    path = SshAddress.parse(endpoint.url).path
    return dial_command(endpoint, "podman", "--remote", f"--url=unix://{path}", "system", "dial-stdio")


@contextlib.contextmanager
def podman_errors(doing: str) -> Iterator[None]:
    """Turn errors of podman-py and its HTTP libraries into localreg's.

    Args:
        doing: The action, as it follows "could not".
    """
    try:
        yield
    except LocalregError:
        raise
    except podman.errors.APIError as exc:
        # Podman-py raises the same error if the service refuses and if it cannot be reached.
        if exc.response is None:
            raise _lost(doing, exc) from exc
        raise EngineError(f"Podman could not {doing}", details=said(exc)) from exc
    except (
        podman.errors.PodmanError,
        requests.exceptions.RequestException,
        urllib3.exceptions.HTTPError,
        json.JSONDecodeError,
    ) as exc:
        raise _lost(doing, exc) from exc


def _lost(doing: str, error: Exception) -> EngineLostError:
    return EngineLostError(f"lost the connection to Podman: could not {doing}", details=[reason_for_loss(error)])


def said(error: podman.errors.APIError) -> list[str]:
    """Podman's whole message; podman-py's own `cause` is often only its end."""
    text = str(error.explanation or error)
    with contextlib.suppress(ValueError, TypeError, KeyError):
        # If a pull with `compatMode` fails, podman-py returns the JSON body as the message.
        text = str(json.loads(text)["message"])
    return text.splitlines()


def quoted(name: str) -> str:
    """A name as a segment of a URL's path."""
    return quote(name, safe="")
