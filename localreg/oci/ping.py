"""Ask whether a registry answers: at a URL, on a connection, or in an answer that was fetched otherwise."""

from __future__ import annotations

import http.client
import re
from email.message import Message
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from localreg.oci.deadline import with_deadline

if TYPE_CHECKING:
    import ssl

ASK_SECONDS = 2.0
"""How long a registry may take to answer."""

_SHOWN = 1000
_TLS = re.compile(rb"HTTP request (?:to an HTTPS server|was sent to HTTPS port)", re.IGNORECASE)
"""The answer of Go and nginx to plain HTTP on a port for TLS."""


class Reply(StrEnum):
    """The answer of a registry."""

    READY = "ready"
    WANTS_LOGIN = "wants a login"
    SPEAKS_TLS = "speaks TLS"
    """It was asked over plain HTTP."""
    NONE = "none"
    """Nothing answers, or something that is not a registry."""

    @property
    def is_ready(self) -> bool:
        """The registry serves; one that requires a login does as well."""
        return self in (Reply.READY, Reply.WANTS_LOGIN)


def ask(url: str) -> Reply:
    """Ask a registry at a URL, never through a proxy.

    With TLS, every certificate will do: the request has no secret, and the answer is only that something answers.
    """
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=ASK_SECONDS)
    return _ask(connection, tls=parts.scheme == "https")


def is_ready(url: str) -> bool:
    """Whether a registry answers at a URL, which is never asked through a proxy."""
    return ask(url).is_ready


def is_registry(connection: http.client.HTTPConnection, *, tls: bool = False) -> bool:
    """Whether a registry answers on a connection, which is then closed.

    Args:
        connection: Not connected yet; its timeout applies to the whole answer.
        tls: Ask with TLS, as `ask` does.
    """
    return _ask(connection, tls=tls).is_ready


def _ask(connection: http.client.HTTPConnection, *, tls: bool) -> Reply:
    try:
        connection.connect()
        connection.sock = with_deadline(trusting_anyone().wrap_socket(connection.sock) if tls else connection.sock)
        connection.request("GET", "/v2/")
        answer = connection.getresponse()
        if answer.status == HTTPStatus.BAD_REQUEST and _TLS.search(answer.read(_SHOWN)):
            return Reply.SPEAKS_TLS
    except (OSError, http.client.HTTPException):
        return Reply.NONE
    finally:
        connection.close()
    if not is_answer_of_registry(answer.status, answer.headers):
        return Reply.NONE
    return Reply.WANTS_LOGIN if answer.status == HTTPStatus.UNAUTHORIZED else Reply.READY


def trusting_anyone() -> ssl.SSLContext:
    """TLS that accepts every certificate, for requests without a secret whose answer is not trusted either."""
    import ssl  # noqa: PLC0415 -- most registries speak plain HTTP

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def is_answer_of_registry(status: int, headers: Message) -> bool:
    """Whether a registry sent this answer to `/v2/`: other servers may answer 200, but do not name the API."""
    return status in (HTTPStatus.OK, HTTPStatus.UNAUTHORIZED) and "Docker-Distribution-Api-Version" in headers
