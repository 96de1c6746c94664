"""The last push in a registry's log, read over HTTP from the engine, so that no SDK is loaded."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterable
from dataclasses import replace
from http import HTTPStatus

from localreg.engines.common.log_frames import iter_log_chunks
from localreg.engines.discovery import probe
from localreg.engines.podman.service import private_service
from localreg.errors import LocalregError
from localreg.registry.distribution_log import iter_requests
from localreg.tunnels.spec import LogSource, Push

_SECONDS = 3.0
_MOST_LINES = 500
"""How many lines at the end of the log to search."""
_CLOCK_SECONDS = 5.0
"""Tolerated difference between the engine's clock and this machine's."""

_MANIFEST = re.compile(r"(?P<repository>[a-z0-9._/-]+)/manifests/(?P<tag>[A-Za-z0-9._:-]+)")
"""The path of a manifest. A client can forge one in the log: it is only shown to people."""


class PushLog:
    """A registry's log, read only if it can contain a new push.

    Args:
        source: The log.
    """

    def __init__(self, source: LogSource) -> None:
        self._source = source
        self._seen: tuple[int | None, bool] = (0, False)
        self._read_at = time.time()

    def find(self, connections: int | None, *, is_busy: bool) -> Push | None:
        """The last push since the log was last read; None without one, or if no client connected since then.

        Args:
            connections: How many connections there were so far; None if unknown.
            is_busy: A client is connected.
        """
        seen = (connections, is_busy)
        if seen == self._seen and connections is not None and not is_busy:
            return None
        self._seen = seen
        since, self._read_at = self._read_at - _CLOCK_SECONDS, time.time()
        return find_last_push(self._source, since=since)


def find_last_push(source: LogSource, *, since: float) -> Push | None:
    """The last push in a registry's log; None without one, or if the log cannot be read.

    Args:
        source: The log.
        since: A Unix time in seconds; older lines are not read.
    """
    path = f"/containers/{source.container}/logs?stdout=1&tail={_MOST_LINES}&since={int(since)}"
    try:
        if source.endpoint.private:
            # An idle service may have ended, so start it again if necessary.
            source = replace(source, endpoint=private_service("podman"))
        body = probe.get(source.engine, source.endpoint, path, seconds=_SECONDS)
        return last_push(chunk.data for chunk in iter_log_chunks([body]))
    except (probe.NoAnswerError, LocalregError):
        return None


def last_push(written: Iterable[bytes]) -> Push | None:
    """The last push in a log.

    Args:
        written: The log, split anywhere.
    """
    for request in reversed(list(iter_requests(b"".join(written)))):
        found = _MANIFEST.fullmatch(request.path)
        if found and (request.method, request.status) == ("PUT", HTTPStatus.CREATED):
            with contextlib.suppress(ValueError):
                reference = f"{found['repository']}:{found['tag']}"
                return Push(reference.replace(":sha256:", "@sha256:"), request.at.isoformat())
    return None
