"""Which engine an endpoint leads to, and which containers it has. Uses HTTP without an SDK, to be fast."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from localreg.engines.common.ports import PLAIN_PORT, TLS_PORT
from localreg.engines.values import Endpoint, EngineName, TlsFiles
from localreg.errors import Unavailable
from localreg.system.address import Address
from localreg.system.unix_socket import UnixHTTPConnection

ANSWER_SECONDS = 10.0
"""Timeout of one request to an engine."""


_SCHEMES = frozenset({"tcp", "http", "https"})


class NoAnswerError(Exception):
    """No engine responded; carries the reason and a fix."""

    def __init__(self, unavailable: Unavailable) -> None:
        super().__init__(unavailable.reason)
        self.unavailable = unavailable


@dataclass(frozen=True, slots=True)
class SeenContainer:
    """A container as an engine lists it."""

    id: str
    names: tuple[str, ...]
    labels: Mapping[str, str]
    published: tuple[Address, ...]
    """The TCP addresses on the engine's machine that it is bound to."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An engine's response: its kind, its containers and whether it has the volume."""

    engine: EngineName
    """The actual engine, which can differ from the expected one."""
    endpoint: Endpoint
    containers: tuple[SeenContainer, ...]
    has_volume: bool
    """It has the requested volume."""
    api_version: str | None = None
    """The version of Docker's API; None if unknown."""

    def find(self, name: str) -> SeenContainer | None:
        """Find a container by its exact name."""
        return next((container for container in self.containers if name in container.names), None)


def where_is(engine: EngineName, endpoint: Endpoint) -> str:
    """An endpoint's URL, and the context or connection that has it, for an error."""
    kind = "context" if engine == "docker" else "connection"
    return (f"{kind} `{endpoint.context}` at " if endpoint.context else "") + endpoint.shown


def ask(expected: EngineName, endpoint: Endpoint, *, volume: str, seconds: float = ANSWER_SECONDS) -> Answer:
    """Ask an endpoint which engine it is and which containers it has.

    Args:
        expected: The engine to expect; used in the error.
        endpoint: Any except `ssh://`, which only the SDK can open.
        volume: The name of a volume to look for.
        seconds: Timeout of one request.

    Raises:
        NoAnswerError: nothing responded, or not an engine.
    """
    with _connected(expected, endpoint, seconds) as connection:
        ping = _get(connection, "/_ping")
        engine: EngineName = "podman" if "Libpod-Api-Version" in ping.headers else "docker"
        containers = json.loads(_get(connection, "/containers/json?all=1").body)
        found = _get(connection, f"/volumes/{quote(volume, safe='')}", allow=(200, 404))
        return Answer(
            engine,
            endpoint,
            tuple(map(_seen, containers)),
            has_volume=found.status == HTTPStatus.OK,
            api_version=ping.headers.get("Api-Version"),
        )


def get(expected: EngineName, endpoint: Endpoint, path: str, *, seconds: float) -> bytes:
    """Send a GET request to an engine.

    Raises:
        NoAnswerError: no engine responded, or with an error.
    """
    with _connected(expected, endpoint, seconds) as connection:
        return _get(connection, path).body


@contextlib.contextmanager
def _connected(expected: EngineName, endpoint: Endpoint, seconds: float) -> Iterator[http.client.HTTPConnection]:
    if endpoint.socket is None and urlsplit(endpoint.url).scheme not in _SCHEMES:
        reason = "not the address of an engine: it must begin with `unix://`, `tcp://` or `ssh://`"
        raise NoAnswerError(Unavailable(expected, where_is(expected, endpoint), reason))
    with _reasons(expected, endpoint, seconds), contextlib.closing(_connection(endpoint, seconds)) as connection:
        yield connection


def _connection(endpoint: Endpoint, seconds: float) -> http.client.HTTPConnection:
    if endpoint.socket is not None:
        return UnixHTTPConnection(endpoint.socket, timeout=seconds)
    parts = urlsplit(endpoint.url)
    host, port = parts.hostname or "", parts.port
    if endpoint.tls is not None or parts.scheme == "https":
        context = _tls_context(endpoint.tls or TlsFiles())
        return http.client.HTTPSConnection(host, port or TLS_PORT, timeout=seconds, context=context)
    return http.client.HTTPConnection(host, port or PLAIN_PORT, timeout=seconds)


def _tls_context(tls: TlsFiles) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=tls.ca_certificate)
    if tls.skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.certificate is not None:
        context.load_cert_chain(tls.certificate, tls.key)
    return context


class _Response(NamedTuple):
    status: int
    headers: Message
    body: bytes


def _get(connection: http.client.HTTPConnection, path: str, *, allow: tuple[int, ...] = (200,)) -> _Response:
    connection.request("GET", path)
    response = connection.getresponse()
    body = response.read()
    if response.status not in allow:
        raise http.client.HTTPException(f"GET {path} returned {response.status}")
    return _Response(response.status, response.headers, body)


def _seen(entry: Any) -> SeenContainer:
    published = tuple(
        Address(port.get("IP") or "", port["PublicPort"])
        for port in entry.get("Ports") or ()
        if port.get("PublicPort") and port.get("Type", "tcp") == "tcp"
    )
    names = tuple(name.removeprefix("/") for name in entry.get("Names") or ())
    return SeenContainer(entry["Id"], names, entry.get("Labels") or {}, published)


@contextlib.contextmanager
def _reasons(engine: EngineName, endpoint: Endpoint, seconds: float) -> Iterator[None]:
    """Turn any failure into a reason and a fix."""
    where = endpoint.socket or where_is(engine, endpoint)
    try:
        yield
    except PermissionError as exc:
        reason, cure = _permission(endpoint.socket) if endpoint.socket else (str(exc), None)
        raise NoAnswerError(Unavailable(engine, where, reason, cure)) from exc
    except FileNotFoundError as exc:
        raise NoAnswerError(Unavailable(engine, where, "no socket", _start_command(engine))) from exc
    except ConnectionRefusedError as exc:
        reason = "the daemon is not running" + ("" if endpoint.socket is None else "; only its socket exists")
        raise NoAnswerError(Unavailable(engine, where, reason, _start_command(engine))) from exc
    except (BrokenPipeError, ConnectionResetError) as exc:
        reason = "closes connections without a response"
        raise NoAnswerError(Unavailable(engine, where, reason)) from exc
    except TimeoutError as exc:
        reason = f"accepts connections but did not respond within {seconds:g} seconds"
        raise NoAnswerError(Unavailable(engine, where, reason)) from exc
    except OSError as exc:
        raise NoAnswerError(Unavailable(engine, where, str(exc.strerror or exc).lower())) from exc
    except (http.client.HTTPException, ValueError, LookupError, TypeError, AttributeError) as exc:
        raise NoAnswerError(
            Unavailable(engine, where, f"the server there is not a container engine ({str(exc).strip()})")
        ) from exc


def _permission(socket: str) -> tuple[str, str | None]:
    """The reason why a socket refuses this user, and the command that fixes it."""
    import grp  # noqa: PLC0415 -- only if permission was denied, and not on Windows
    import pwd  # noqa: PLC0415

    try:
        group = grp.getgrgid(Path(socket).stat().st_gid)
        user = pwd.getpwuid(os.getuid()).pw_name
    except (OSError, KeyError):
        return "permission denied", None
    if group.gr_gid == 0:
        return "permission denied; only root can use it", None
    if user in group.gr_mem:
        return f"permission denied; your group `{group.gr_name}` is not active in this session yet", (
            f"newgrp {group.gr_name}"
        )
    return f"permission denied; you are not in the group `{group.gr_name}`", (
        f'sudo usermod -aG {group.gr_name} "$USER" && newgrp {group.gr_name}'
    )


def _start_command(engine: EngineName) -> str | None:
    if not Path("/run/systemd/system").is_dir():
        return None
    return "sudo systemctl start docker" if engine == "docker" else "systemctl --user start podman.socket"
