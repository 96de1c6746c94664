"""The parts of Distribution's HTTP API that move blobs of any size: nothing holds a whole one in memory."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from urllib.parse import quote

from localreg.errors import RegistryUnreachableError, RepositoryNotFoundError
from localreg.oci.transport import REDIRECTS, Transport
from localreg.system.command_line import Sentence

_PAUSES = (0.1, 0.5, 2.0)
"""Seconds before each further attempt to move a blob."""
_BEGUN = (HTTPStatus.ACCEPTED, HTTPStatus.CREATED)
_TRIED = b"localreg doctor"


class Blobs:
    """The blobs of a registry.

    Args:
        transport: Sends the requests.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def find_size(self, repository: str, digest: str, *, told: int) -> int | None:
        """Bytes of a blob; None if the repository does not have it.

        Args:
            repository: Its name.
            digest: That of the blob.
            told: The size to return if the registry only says that it has the blob.
        """
        # A redirect tells enough: a store that it leads to may not answer this method.
        expected = (HTTPStatus.OK, *REDIRECTS)
        try:
            answer = self._transport.request("HEAD", _path(repository, digest), f"blob {digest}", expected=expected)
        except RepositoryNotFoundError:
            return None
        length = (answer.headers.get("Content-Length") or "") if answer.status == HTTPStatus.OK else ""
        return int(length) if length.isascii() and length.isdigit() else told

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

    def store(
        self, repository: str, digest: str, size: int, read: Callable[[], Iterable[bytes]], *, origin: str | None = None
    ) -> None:
        """Store a blob, if the registry cannot take the one of another repository.

        After a connection that broke, all is sent once more: a session for an upload may not have survived it.

        Args:
            repository: The one to store it in.
            digest: That of the blob.
            size: Its bytes.
            read: Gives its bytes, from the beginning each time.
            origin: A repository of the same registry that has it.

        Raises:
            RegistryError: the registry does not take it, or finds other content than its digest tells.
        """
        path = f"/v2/{quote(repository)}/blobs/uploads/"
        for pause in (*_PAUSES, None):
            try:
                place = self._begin(path, repository, digest, origin)
                if place is not None:
                    what = f"blob {digest} of `{repository}`"
                    self._transport.upload(place, what, read, size=size, begun_at=path)
            except RegistryUnreachableError:
                if pause is None:
                    raise
            else:
                return
            time.sleep(pause)

    @contextlib.contextmanager
    def tried(self, repository: str) -> Iterator[str]:
        """Begin an upload; at the end send a few bytes, and cancel it. Distribution keeps some empty folders of it.

        Args:
            repository: The one to try it with; it need not exist.

        Yields:
            The name of the upload.

        Raises:
            RegistryError: the registry does not take it.
        """
        path = f"/v2/{quote(repository)}/blobs/uploads/"
        what = f"an upload to `{repository}`"
        begun = self._transport.request("POST", path, what, expected=_BEGUN)
        place = self._transport.locate(path, begun.headers.get("Location") or "")
        try:
            yield begun.headers.get("Docker-Upload-UUID") or place.partition("?")[0].rpartition("/")[2]
            sent = self._transport.request(
                *("PATCH", place, what), body=_TRIED, media_type="application/octet-stream", expected=_BEGUN
            )
            place = self._transport.locate(path, sent.headers.get("Location") or place)
        finally:
            self._transport.request("DELETE", place, what, expected=(HTTPStatus.NO_CONTENT, HTTPStatus.ACCEPTED))

    def _begin(self, path: str, repository: str, digest: str, origin: str | None) -> str | None:
        """Begin an upload; returns where to send it, or None if the repository has it now."""
        query = f"?mount={quote(digest, safe=':')}&from={quote(origin, safe='')}" if origin else ""
        what = f"an upload to `{repository}`"
        try:
            answer = self._transport.request("POST", f"{path}{query}", what, expected=_BEGUN)
        except RepositoryNotFoundError as exc:
            raise RepositoryNotFoundError(
                f"{self._transport.failures.who} does not have `{repository}`, and a push does not create it",
                hint=Sentence("create the repository there, or choose another name"),
            ) from exc
        if answer.status == HTTPStatus.CREATED:
            return None
        place = self._transport.locate(path, answer.headers.get("Location") or "")
        return f"{place}{'&' if '?' in place else '?'}digest={quote(digest, safe=':')}"


def _path(repository: str, digest: str) -> str:
    return f"/v2/{quote(repository)}/blobs/{quote(digest, safe=':')}"
