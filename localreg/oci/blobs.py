"""The parts of Distribution's HTTP API that move blobs of any size: nothing holds a whole one in memory."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from urllib.parse import quote, urljoin, urlsplit

from localreg.errors import RegistryUnreachableError, RepositoryNotFoundError
from localreg.oci.transport import Transport

_PAUSES = (0.1, 0.5, 2.0)
"""Seconds before each further attempt to read the rest of a blob."""
_BEGUN = (HTTPStatus.ACCEPTED, HTTPStatus.CREATED)


class Blobs:
    """The blobs of a registry.

    Args:
        transport: Sends the requests.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def find_size(self, repository: str, digest: str) -> int | None:
        """Bytes of a blob; None if the repository does not have it."""
        try:
            answer = self._transport.request("HEAD", _path(repository, digest), f"blob {digest}")
        except RepositoryNotFoundError:
            return None
        return int(answer.headers.get("Content-Length") or 0)

    def read(self, repository: str, digest: str) -> Iterator[bytes]:
        """The bytes of a blob, not checked; after a connection that broke it goes on where it was.

        Raises:
            RepositoryNotFoundError: the repository does not have it.
            RegistryUnreachableError: the connection broke several times in a row.
            RegistryError: it cannot be read.
        """
        received = attempt = 0
        while True:
            try:
                for chunk in self._rest(repository, digest, received):
                    received += len(chunk)
                    attempt = 0
                    yield chunk
            except RegistryUnreachableError:
                if attempt == len(_PAUSES) or not received:
                    raise
            else:
                return
            time.sleep(_PAUSES[attempt])
            attempt += 1

    def _rest(self, repository: str, digest: str, start: int) -> Iterator[bytes]:
        """The bytes of a blob from some byte on."""
        with self._transport.download(_path(repository, digest), f"blob {digest}", start=start) as (first, chunks):
            left = start - first
            for chunk in chunks:
                if len(chunk) > left:
                    yield chunk[left:]
                left = max(left - len(chunk), 0)

    def begin(self, repository: str, digest: str, *, origin: str | None = None) -> str | None:
        """Begin an upload, if the registry cannot take the blob of another repository.

        Args:
            repository: The one to store it in.
            digest: That of the blob.
            origin: A repository of the same registry that has it.

        Returns:
            Where to send it; None if the repository has it now.
        """
        path = f"/v2/{quote(repository)}/blobs/uploads/"
        query = f"?mount={quote(digest, safe=':')}&from={quote(origin, safe='')}" if origin else ""
        answer = self._transport.request("POST", f"{path}{query}", f"an upload to `{repository}`", expected=_BEGUN)
        if answer.status == HTTPStatus.CREATED:
            return None
        # The host of an absolute one is ignored, as for pages of a list.
        place = urlsplit(urljoin(path, answer.headers.get("Location") or ""))
        return f"{place.path}?{f'{place.query}&' if place.query else ''}digest={quote(digest, safe=':')}"

    def put(self, place: str, digest: str, size: int, chunks: Iterable[bytes]) -> None:
        """Send a blob to where an upload was begun.

        Raises:
            RegistryError: the registry does not take it, or finds other content than its digest tells.
        """
        self._transport.upload(place, f"blob {digest}", chunks, size=size)


def _path(repository: str, digest: str) -> str:
    return f"/v2/{quote(repository)}/blobs/{quote(digest, safe=':')}"
