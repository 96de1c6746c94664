"""The last push that a registry's log tells of: plain HTTP to the engine, so that waiting for it loads no SDK."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from localreg.engines.common.log_frames import iter_log_chunks
from localreg.engines.discovery import probe
from localreg.engines.podman.service import private_service
from localreg.errors import LocalregError
from localreg.tunnels.spec import LogSource, Push

_SECONDS = 3.0
_MOST_LINES = 500
"""Of the log's end that are looked through."""

_PUT = re.compile(
    rb'^\S+ - - \[(?P<time>[^]]+)\] "PUT /v2/(?P<repository>[a-z0-9._/-]+)/manifests/(?P<tag>[A-Za-z0-9._:-]+)'
    rb' HTTP/[0-9.]+" 201 ',
    re.MULTILINE,
)
"""A manifest that was taken in, in the combined log format that Distribution writes to its stdout.

Whoever asks the registry can have it write what looks like one: it is shown to people, and nothing depends on it.
"""
_TIME = "%d/%b/%Y:%H:%M:%S %z"


def find_last_push(source: LogSource, *, since: float) -> Push | None:
    """The last push in a registry's log; None where there is none, or the log cannot be read.

    Args:
        source: Whose log.
        since: A Unix time in seconds; what is older is not read.
    """
    path = f"/containers/{source.container}/logs?stdout=1&tail={_MOST_LINES}&since={int(since)}"
    try:
        if source.endpoint.private:
            # It ends by itself when nobody asks it anything.
            source = replace(source, endpoint=private_service("podman"))
        body = probe.get(source.engine, source.endpoint, path, seconds=_SECONDS)
        return last_push(chunk.data for chunk in iter_log_chunks([body]))
    except (probe.NoAnswerError, LocalregError):
        return None


def last_push(written: Iterable[bytes]) -> Push | None:
    """The last push in a log.

    Args:
        written: The log, cut anywhere.
    """
    for found in reversed(list(_PUT.finditer(b"".join(written)))):
        try:
            at = datetime.strptime(found["time"].decode(), _TIME)  # noqa: DTZ007 -- the format has the zone
        except ValueError:
            continue
        reference = f"{found['repository'].decode()}:{found['tag'].decode()}"
        return Push(reference.replace(":sha256:", "@sha256:"), at.isoformat())
    return None
