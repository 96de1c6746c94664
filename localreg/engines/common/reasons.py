"""The system's reason for a broken connection to an engine, which libraries wrap in their own messages."""

from __future__ import annotations

import http.client

import requests.exceptions
import urllib3.exceptions

_BROKEN = "the connection was closed"
"""The same text for a loss before the response and during it, because which one happens is chance."""


def reason_for_loss(error: Exception) -> str:
    """The system's reason if the chain of causes has one, otherwise the error's message."""
    reason = str(error)
    if isinstance(error, requests.exceptions.ChunkedEncodingError | urllib3.exceptions.ProtocolError):
        reason = _BROKEN
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, http.client.RemoteDisconnected):
            reason = _BROKEN
        elif isinstance(found, OSError) and not isinstance(found, requests.exceptions.RequestException):
            reason = found.strerror or str(found)
        found = found.__cause__ or found.__context__
    return reason
