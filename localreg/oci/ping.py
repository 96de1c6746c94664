"""Whether a registry answers, found out by asking it; nothing else says that it does."""

from __future__ import annotations

import http.client
from email.message import Message
from urllib.parse import urlsplit

from localreg.oci.deadline import with_deadline

ASK_SECONDS = 2.0
"""How long a registry may take to say that it is one."""

_READY = (200, 401)
"""A registry that wants a login is ready too."""


def is_ready(base_url: str) -> bool:
    """Whether a registry answers `/v2/` at this URL, asked directly, never through a proxy.

    Args:
        base_url: `http://host:port`.
    """
    parts = urlsplit(base_url)
    return is_registry(http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=ASK_SECONDS))


def is_registry(connection: http.client.HTTPConnection) -> bool:
    """Whether a registry answers `/v2/` on a connection, which is then closed.

    Args:
        connection: Not connected yet; its time-out is for the whole answer.
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
    """Whether this is what a registry answers to `/v2/`: some servers answer 200 to everything.

    Only a registry says which API it speaks.
    """
    return status in _READY and "Docker-Distribution-Api-Version" in headers
