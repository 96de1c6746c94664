"""Podman's API through podman-py's HTTP client, and what its failures mean."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import podman
import podman.errors
import requests.adapters
import requests.exceptions
import urllib3.exceptions

from localreg.engines.common.reasons import reason_for_loss
from localreg.engines.values import Endpoint
from localreg.errors import EngineError, EngineLostError, LocalregError

REQUEST_SECONDS = 60
"""How long Podman may take for an answer."""
NEVER = 365 * 24 * 3600.0
"""Podman-py takes no time-out for its default; a year is none."""


class Connection:
    """Requests of one Podman service, each of which succeeds or raises podman-py's error."""

    def __init__(self, endpoint: Endpoint) -> None:
        try:
            self.client = podman.PodmanClient(base_url=endpoint.url, timeout=REQUEST_SECONDS)
        except Exception as exc:  # the constructor reads containers.conf, and fails on it in many ways
            raise EngineError("podman-py cannot read Podman's configuration", details=[str(exc)]) from exc
        # It is asked directly, as when it was looked for: never through a proxy.
        self.client.api.trust_env = False

    def get(self, path: str, **options: Any) -> Any:
        """Ask for something."""
        response = self.client.api.get(path, **options)
        response.raise_for_status()
        return response

    def post(self, path: str, **options: Any) -> Any:
        """Have something done."""
        response = self.client.api.post(path, **options)
        response.raise_for_status()
        return response

    def delete(self, path: str, **options: Any) -> None:
        """Remove something; nothing happens where it is gone already."""
        with contextlib.suppress(podman.errors.NotFound):
            self.client.api.delete(path, **options).raise_for_status()

    def close(self) -> None:
        """Close the connections: an idle service counts them, and so does whoever ends it."""
        # urllib3 2 leaves idle ones open while another of the same pool is in use, as by a push that hangs.
        for adapter in self.client.api.adapters.values():
            if isinstance(adapter, requests.adapters.HTTPAdapter):
                adapter.poolmanager.pools.dispose_func = lambda pool: pool.close()
        self.client.close()  # type: ignore[no-untyped-call]  # podman-py has no types


@contextlib.contextmanager
def podman_errors(doing: str) -> Iterator[None]:
    """Turn what podman-py and its HTTP libraries raise into errors of ours.

    Args:
        doing: What was tried, as it follows "could not".
    """
    try:
        yield
    except LocalregError:
        raise
    except podman.errors.APIError as exc:
        # Podman-py raises the same when the service refuses and when it cannot be reached.
        if exc.response is None:
            raise _lost(doing, exc) from exc
        raise EngineError(f"Podman could not {doing}", details=said(exc)) from exc
    except (
        podman.errors.PodmanError,
        requests.exceptions.RequestException,
        urllib3.exceptions.HTTPError,
        json.JSONDecodeError,
        # The `ssh` that podman-py started did not come up.
        subprocess.TimeoutExpired,
    ) as exc:
        raise _lost(doing, exc) from exc


def _lost(doing: str, error: Exception) -> EngineLostError:
    return EngineLostError(f"lost Podman while trying to {doing}", details=[reason_for_loss(error)])


def said(error: podman.errors.APIError) -> list[str]:
    """Podman's message; the cause that podman-py puts first is often only its last words."""
    text = str(error.explanation or error)
    with contextlib.suppress(ValueError, TypeError, KeyError):
        # A pull with `compatMode` fails with a body that podman-py hands on as it is.
        text = str(json.loads(text)["message"])
    return text.splitlines()


def quoted(name: str) -> str:
    """A name as one segment of a path."""
    return quote(name, safe="")
