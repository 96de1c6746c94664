"""A push that goes no further although engine and registry answer: told by the registry's log, which does not grow.

Podman 4.3, which Debian 12 has, now and then waits for its own progress bars for ever, before it sends a layer. A layer
on its way is another case, also where the engine says nothing of it for minutes: the registry has begun to take it.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from localreg.registry.distribution_log import Request, iter_requests

_BYTES_PER_SECOND = 10_000_000
"""Podman makes a file of a layer before it asks the registry to take it: so slow may that be."""


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
        self._blobs = f"{repository}/blobs/"
        self._uploads = f"{self._blobs}uploads/"
        self._find_size = find_size
        self._read_log = read_log
        self._before: list[Request] = []
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
        requests = [request for request in iter_requests(log) if request.path.startswith(self._blobs)]
        # The engine throws away what is old where a log is long: then the beginning of an upload may be missing.
        self._has_lost_lines |= requests[: len(self._before)] != self._before
        moves, self._before = requests != self._before, requests
        return bool(requests) and not moves and not self._has_lost_lines and not self._is_uploading(requests)

    def _is_uploading(self, requests: list[Request]) -> bool:
        """An upload was begun that has not ended."""
        under_way = 0
        for request in requests:
            if request.path.startswith(self._uploads):
                if (request.method, request.status) == ("POST", HTTPStatus.ACCEPTED):
                    under_way += 1
                elif request.method in ("PUT", "DELETE"):
                    # Somebody else's may have begun before the log does.
                    under_way = max(0, under_way - 1)
        return under_way > 0
