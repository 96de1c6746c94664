"""Why a connection to an engine broke, in the system's words: libraries wrap them in words about themselves."""

from __future__ import annotations

import requests.exceptions
import urllib3.exceptions


def reason_of(error: Exception) -> str:
    """The system's own reason where there is one in the chain of causes."""
    reason = str(error)
    if isinstance(error, requests.exceptions.ChunkedEncodingError | urllib3.exceptions.ProtocolError):
        reason = "the connection broke off in the middle of an answer"
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, OSError) and not isinstance(found, requests.exceptions.RequestException):
            reason = found.strerror or str(found)
        found = found.__cause__ or found.__context__
    return reason
