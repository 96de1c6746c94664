"""Reading Distribution's log. This parses text only, because the process that keeps a tunnel loads it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

_REQUEST = re.compile(
    rb'^\S+ - - \[(?P<time>[^]]+)\] "(?P<method>[A-Z]+) /v2/(?P<path>\S+) HTTP/[0-9.]+" (?P<status>[0-9]{3}) ',
    re.MULTILINE,
)
"""The combined log format: a line for each request, written when it has been answered."""
_TIME = "%d/%b/%Y:%H:%M:%S %z"
_EFFECTS = frozenset({"invalid checksum digest format", "client disconnected"})
"""What a failure brings about: the empty link that it left, and the uploads that its client gave up."""
_CAUSE = re.compile(r'err\.detail="((?:[^"\\]|\\.)*)"')
_LISTENING = b"listening on"
_OF_EACH_LINE = b"instance.id"


@dataclass(frozen=True, slots=True)
class Request:
    """A request that the registry has answered. Its client chose the path, so nothing may depend on it being true."""

    method: str
    path: str
    """Below `/v2/`, with the query."""
    status: int
    time: str
    """As it was written."""

    @property
    def at(self) -> datetime:
        """When it was answered, aware.

        Raises:
            ValueError: the time is invalid.
        """
        return datetime.strptime(self.time, _TIME)  # noqa: DTZ007 -- the format has the zone


def iter_requests(log: bytes) -> Iterator[Request]:
    """The requests in a log, oldest first."""
    for found in _REQUEST.finditer(log):
        time, method, path, status = (part.decode(errors="backslashreplace") for part in found.groups())
        yield Request(method, path, int(status), time)


def find_last_cause(log: bytes) -> str | None:
    """The cause of the last `500` in a log; clients are told the status alone.

    What is itself the effect of another one only counts if it is alone.
    """
    lines = log.decode(errors="backslashreplace").splitlines()
    causes = [found.group(1) for line in lines if "err.code=unknown" in line and (found := _CAUSE.search(line))]
    return next((cause for cause in reversed(causes) if cause not in _EFFECTS), causes[-1] if causes else None)


def is_listening(log: bytes) -> bool:
    """The registry has started and accepts connections."""
    return _LISTENING in log


def is_distributions(log: bytes) -> bool:
    """Distribution wrote this log."""
    return _OF_EACH_LINE in log or _LISTENING in log
