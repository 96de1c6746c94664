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
        find_size: How many bytes the image has.
        read_log: The registry's log since the push began; empty where it cannot be read.
    """

    def __init__(self, repository: str, *, find_size: Callable[[], int], read_log: Callable[[], bytes]) -> None:
        self._repository = f"{repository}/".encode()
        self._find_size = find_size
        self._read_log = read_log
        self._before: list[tuple[bytes, bytes, bytes]] = []

    def stands_still(self, silent_seconds: float) -> bool:
        """Whether nothing came since the last time that this was asked, and the registry is not about to take a blob.

        No push stands still whose requests are not in the log: then neither are those that it may be about to make.

        Args:
            silent_seconds: For so long the engine has said nothing.
        """
        requests = [found for found in _REQUEST.findall(self._read_log()) if found[1].startswith(self._repository)]
        moves, self._before = requests != self._before, requests
        return (
            bool(requests)
            and not moves
            and not self._is_uploading(requests)
            and silent_seconds >= self._find_size() / _BYTES_PER_SECOND
        )

    def _is_uploading(self, requests: list[tuple[bytes, bytes, bytes]]) -> bool:
        """More uploads were begun than ended."""
        uploads = self._repository + b"blobs/uploads/"
        begun = ended = 0
        for method, path, status in requests:
            if path.startswith(uploads):
                begun += (method, status) == (b"POST", b"202")
                ended += method in (b"PUT", b"DELETE")
        return begun > ended
