"""Why a connection to an engine broke, in the system's words: libraries wrap them in words about themselves."""

from __future__ import annotations

import http.client

import requests.exceptions
import urllib3.exceptions

_BROKEN_OFF = "the connection broke off"
"""Whether before the answer or in the middle of it is chance."""


def reason_for_loss(error: Exception) -> str:
    """The system's own reason where there is one in the chain of causes."""
    reason = str(error)
    if isinstance(error, requests.exceptions.ChunkedEncodingError | urllib3.exceptions.ProtocolError):
        reason = _BROKEN_OFF
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, http.client.RemoteDisconnected):
            reason = _BROKEN_OFF
        elif isinstance(found, OSError) and not isinstance(found, requests.exceptions.RequestException):
            reason = found.strerror or str(found)
        found = found.__cause__ or found.__context__
    return reason
