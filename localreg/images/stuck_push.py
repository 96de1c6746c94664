"""A push that goes no further although engine and registry answer: told by the registry's log, which does not grow.

Podman 4.3, which Debian 12 has, now and then waits for its own progress bars for ever, before it sends a layer. A layer
on its way is another case, also where the engine says nothing of it for minutes: the registry has begun to take it.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_BYTES_PER_SECOND = 10_000_000
"""Podman makes a file of a layer before it asks the registry to take it: so slow may that be."""
_REQUEST = re.compile(rb'^\S+ - - \[[^]]+\] "([A-Z]+) /v2/(\S+) HTTP/[0-9.]+" ([0-9]{3}) ', re.MULTILINE)
"""Method, path and status, in the combined log format that Distribution writes once it has answered a request."""


class StandstillDetector:
    """Whether a push stands still; asked again and again while its engine says nothing.

    Args:
        repository: Where it goes.
        find_size: How many bytes the image has; None where that cannot be told.
        read_log: The registry's log since the push began; None where it cannot be read now.
    """

    def __init__(
        self, repository: str, *, find_size: Callable[[], int | None], read_log: Callable[[], bytes | None]
    ) -> None:
        self._blobs = f"{repository}/blobs/".encode()
        self._uploads = self._blobs + b"uploads/"
        self._find_size = find_size
        self._read_log = read_log
        self._before: list[tuple[bytes, bytes, bytes]] = []
        self._has_lost_lines = False

    def stands_still(self, silent_seconds: float) -> bool:
        """Whether no blob was asked for since the last time, and the registry is not about to take one.

        No push stands still whose requests are not in the log: then neither are those that it may be about to make.

        Args:
            silent_seconds: For so long the engine has said nothing.
        """
        size = self._find_size()
        if size is None or silent_seconds < size / _BYTES_PER_SECOND:
            return False
        log = self._read_log()
        if log is None:
            return False
        requests = [found for found in _REQUEST.findall(log) if found[1].startswith(self._blobs)]
        # The engine throws away what is old where a log is long: then the beginning of an upload may be missing.
        self._has_lost_lines |= requests[: len(self._before)] != self._before
        moves, self._before = requests != self._before, requests
        return bool(requests) and not moves and not self._has_lost_lines and not self._is_uploading(requests)

    def _is_uploading(self, requests: list[tuple[bytes, bytes, bytes]]) -> bool:
        """An upload was begun that has not ended."""
        under_way = 0
        for method, path, status in requests:
            if path.startswith(self._uploads):
                if (method, status) == (b"POST", b"202"):
                    under_way += 1
                elif method in (b"PUT", b"DELETE"):
                    # Somebody else's may have begun before the log does.
                    under_way = max(0, under_way - 1)
        return under_way > 0
