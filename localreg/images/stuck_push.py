"""Detects a push that is stuck although engine and registry respond; for Podman 4.3 only, remove it with that release.

Podman 4.3 (Debian 12) sometimes waits for its own progress bars for ever before it sends a layer. Then the registry's
log does not grow. A slow layer is different: the registry has an open upload, even if the engine is silent for minutes.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from localreg.registry.distribution_log import Request, iter_requests

_BYTES_PER_SECOND = 10_000_000
"""Slowest rate at which Podman may pack a layer before it uploads it."""


class StuckPushDetector:
    """Detects a stuck push; used repeatedly while the engine is silent.

    Args:
        repository: The repository that is pushed to.
        find_size: Finds the image's size in bytes; None if it is unknown.
        read_log: Reads the registry's log since the push began; None if it cannot be read now.
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

    def is_stuck(self, silent_seconds: float) -> bool:
        """There was no request for a blob since the last check, and no upload is open.

        A push without any request in the log is not stuck: its requests may go elsewhere.

        Args:
            silent_seconds: How long the engine has been silent.
        """
        size = self._find_size()
        if size is None or silent_seconds < size / _BYTES_PER_SECOND:
            return False
        log = self._read_log()
        if log is None:
            return False
        requests = [request for request in iter_requests(log) if request.path.startswith(self._blobs)]
        # The engine drops old lines of a long log, so the beginning of an upload may be missing.
        self._has_lost_lines |= requests[: len(self._before)] != self._before
        moves, self._before = requests != self._before, requests
        return bool(requests) and not moves and not self._has_lost_lines and not self._is_uploading(requests)

    def _is_uploading(self, requests: list[Request]) -> bool:
        """An upload is open."""
        under_way = 0
        for request in requests:
            if request.path.startswith(self._uploads):
                if (request.method, request.status) == ("POST", HTTPStatus.ACCEPTED):
                    under_way += 1
                elif request.method in ("PUT", "DELETE"):
                    # Another client's upload may have begun before the log.
                    under_way = max(0, under_way - 1)
        return under_way > 0
