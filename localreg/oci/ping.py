"""Ask whether a registry answers: at a URL, on a connection, or in an answer that was fetched otherwise."""

from __future__ import annotations

import http.client
from email.message import Message
from urllib.parse import urlsplit

from localreg.oci.deadline import with_deadline

ASK_SECONDS = 2.0
"""How long a registry may take to answer."""

_READY = (200, 401)
"""A registry that requires a login is also ready."""


def is_ready(url: str) -> bool:
    """Whether a registry answers at an `http` URL, which is never asked through a proxy."""
    parts = urlsplit(url)
    return is_registry(http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=ASK_SECONDS))


def is_registry(connection: http.client.HTTPConnection) -> bool:
    """Whether a registry answers on a connection, which is then closed.

    Args:
        connection: Not connected yet; its timeout applies to the whole answer.
    """
    try:
        connection.connect()
        connection.sock = with_deadline(connection.sock)
        connection.request("GET", "/v2/")
        answer = connection.getresponse()
    except (OSError, http.client.HTTPException):
        return False
    else:
        return is_answer_of_registry(answer.status, answer.headers)
    finally:
        connection.close()


def is_answer_of_registry(status: int, headers: Message) -> bool:
    """Whether a registry sent this answer to `/v2/`: other servers may answer 200, but do not name the API."""
    return status in _READY and "Docker-Distribution-Api-Version" in headers
