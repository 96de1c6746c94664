"""HTTP to one registry: connections stay open, size and time are bounded, and all failures are localreg's errors."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import urllib3
import urllib3.connection
import urllib3.exceptions

from localreg.errors import LocalregError, RegistryError, RegistryUnreachableError, RepositoryNotFoundError
from localreg.oci.deadline import with_deadline
from localreg.oci.manifest import UNREADABLE
from localreg.oci.ping import Reply, ask
from localreg.system.command_line import CommandLine, Sentence

_CHUNK = 64 << 10
_SHOWN = 200
_SMALL_BYTES = 1 << 20
_STREAM_CHUNK = 1 << 20
_STREAM_SECONDS = 120.0
"""How long a registry may take for one step of a large transfer: at its end, Distribution waits for the disk."""
_SENT = (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT)
_ABSENT = frozenset({"NAME_UNKNOWN", "MANIFEST_UNKNOWN", "BLOB_UNKNOWN", "NAME_INVALID"})


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response."""

    status: int
    headers: Any
    body: bytes


class _Connection(urllib3.connection.HTTPConnection):
    """A connection whose read time-out covers a whole response."""

    def connect(self) -> None:
        """Connect, then start the clock."""
        super().connect()
        self.sock = with_deadline(self.sock)


class Transport:
    """Sends requests to one registry; safe to use from several threads.

    Args:
        base_url: `http://host:port`.
        timeout: Seconds for one whole request.
        connections: The number of connections to keep open.
    """

    def __init__(self, base_url: str, *, timeout: float, connections: int) -> None:
        self._base = base_url
        self._seconds = timeout
        # A pool uses no proxy, and notices when the registry has closed an idle connection.
        self._pool = urllib3.connectionpool.connection_from_url(
            base_url,
            maxsize=connections,
            block=True,
            timeout=urllib3.Timeout(connect=min(timeout, 5.0), read=timeout),
            retries=False,
        )
        self._pool.ConnectionCls = _Connection
        # Blobs: their size is not known to be small, so that only each step has a time-out.
        self._streams = urllib3.connectionpool.connection_from_url(
            base_url,
            maxsize=connections,
            block=True,
            timeout=urllib3.Timeout(connect=min(timeout, 5.0), read=_STREAM_SECONDS),
            retries=False,
            blocksize=_STREAM_CHUNK,
        )

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()
        self._streams.close()

    def request(
        self,
        method: str,
        path: str,
        what: str,
        *,
        limit: int = _SMALL_BYTES,
        accept: str = "*/*",
        body: bytes | None = None,
        media_type: str | None = None,
        part: str | None = None,
        expected: Collection[int] = (HTTPStatus.OK,),
    ) -> Answer:
        """Send a request and read the whole response.

        Args:
            method: The HTTP method.
            path: The path below the base URL, with the query.
            what: The name of the requested thing, for errors.
            limit: The largest accepted response in bytes.
            accept: The accepted media types.
            body: The body to send.
            media_type: The type of the body.
            part: The bytes to send, as in a `Range` header.
            expected: The status codes that mean success.

        Raises:
            RepositoryNotFoundError: the registry does not have it.
            RegistryUnreachableError: it does not answer, or speaks TLS.
            RegistryError: any other response.
        """
        optional = {"Content-Type": media_type, "Range": part}
        headers = {"Accept": accept, **{name: value for name, value in optional.items() if value}}
        try:
            response = self._pool.request(
                method, path, headers=headers, body=body, preload_content=False, decode_content=False
            )
            answer = Answer(response.status, response.headers, self._read(response, what, limit))
        except (urllib3.exceptions.HTTPError, OSError) as exc:
            raise self._unreachable(exc) from exc
        if answer.status not in expected:
            raise self._refusal(answer, what)
        return answer

    @contextlib.contextmanager
    def download(self, path: str, what: str, *, start: int = 0) -> Iterator[tuple[int, Iterator[bytes]]]:
        """Request something of any size.

        Args:
            path: The path below the base URL.
            what: The name of the requested thing, for errors.
            start: The first byte that is wanted.

        Yields:
            The first byte that comes, which is 0 if the registry does not send parts; and the bytes.

        Raises:
            RepositoryNotFoundError: the registry does not have it.
            RegistryUnreachableError: it does not answer, or the connection breaks.
            RegistryError: any other response.
        """
        headers = {"Range": f"bytes={start}-"} if start else {}
        try:
            response = self._streams.request("GET", path, headers=headers, preload_content=False, decode_content=False)
        except (urllib3.exceptions.HTTPError, OSError) as exc:
            raise self._unreachable(exc) from exc
        try:
            if response.status not in _SENT:
                raise self._refusal(
                    Answer(response.status, response.headers, self._read(response, what, _SMALL_BYTES)), what
                )
            yield start if response.status == HTTPStatus.PARTIAL_CONTENT else 0, self._chunks(response)
        finally:
            if response.length_remaining != 0:
                # The rest is not wanted.
                response.close()
            response.release_conn()

    def _chunks(self, response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
        try:
            while chunk := response.read(_STREAM_CHUNK):
                yield chunk
        except (urllib3.exceptions.HTTPError, OSError) as exc:
            raise self._unreachable(exc) from exc

    def upload(self, path: str, what: str, chunks: Iterable[bytes], *, size: int) -> Answer:
        """Send something of any size with PUT.

        Args:
            path: The path below the base URL, with the query.
            what: The name of the thing, for errors.
            chunks: Its bytes.
            size: How many bytes there are.

        Raises:
            RegistryUnreachableError: the registry does not answer, or the connection breaks.
            RegistryError: it does not take it.
        """
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        try:
            response = self._streams.request("PUT", path, headers=headers, body=chunks, preload_content=False)
            answer = Answer(response.status, response.headers, self._read(response, what, _SMALL_BYTES))
        except (urllib3.exceptions.HTTPError, OSError) as exc:
            raise self._unreachable(exc) from exc
        if answer.status != HTTPStatus.CREATED:
            raise self._refusal(answer, what)
        return answer

    def _read(self, response: urllib3.BaseHTTPResponse, what: str, limit: int) -> bytes:
        body = bytearray()
        at_end = False
        try:
            # `read1` returns the available bytes instead of waiting for a full chunk.
            while part := response.read1(_CHUNK):
                body += part
                if len(body) > limit:
                    raise RegistryError(
                        f"the registry's response for {what} is larger than {limit >> 20} MiB", status=response.status
                    )
            at_end = True
        except urllib3.exceptions.ProtocolError as exc:
            # The registry is reachable; maybe only this response is broken, as for a blob that is gone from its disk.
            raise RegistryError(f"the registry's response for {what} broke off") from exc
        finally:
            if not at_end:
                response.close()
            # Always: the pool would wait for ever for a connection that is not released.
            response.release_conn()
        return bytes(body)

    def parse(self, answer: Answer, what: str) -> dict[str, Any]:
        """Parse a response as a JSON object.

        Raises:
            RegistryError: it is not one.
        """
        try:
            found = json.loads(answer.body)
        except (ValueError, RecursionError) as exc:
            raise self.no_registry(answer, what) from exc
        if not isinstance(found, dict):
            raise self.no_registry(answer, what)
        return found

    def no_registry(self, answer: Answer, what: str) -> RegistryError:
        """The error for a response that no registry sends."""
        return RegistryError(
            f"{self._base} is not a registry: it did not return JSON for {what}",
            details=[answer.body[:_SHOWN].decode(errors="backslashreplace")],
            status=answer.status,
        )

    def _refusal(self, answer: Answer, what: str) -> LocalregError:
        code, message = _first_error(answer.body)
        absent = answer.status == HTTPStatus.NOT_FOUND
        if absent and (code in _ABSENT or not answer.body):
            return RepositoryNotFoundError(
                f"the registry does not have {what.removeprefix('blob ').removeprefix('the tags of ')}"
            )
        # The answer to HEAD has no text to recognise this by.
        if answer.status == HTTPStatus.BAD_REQUEST and code is None and ask(self._base) is Reply.SPEAKS_TLS:
            return speaks_tls(self._base)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            return RegistryError(
                f"the registry at {self._base} requires a login for {what}",
                hint=Sentence("localreg cannot log in; only push and pull work, because the engine uses its own login"),
                status=answer.status,
                registry_code=code,
            )
        said = f"{code}: {message}" if code else answer.body[:_SHOWN].decode(errors="backslashreplace").strip()
        return RegistryError(
            f"the registry returned {answer.status} for {what}",
            details=[said] if said else [],
            status=answer.status,
            registry_code=code,
        )

    def _unreachable(self, error: Exception) -> RegistryUnreachableError:
        if isinstance(error, urllib3.exceptions.ReadTimeoutError):
            why = f"it does not answer within {self._seconds:g} seconds"
        elif "refused" in str(error):
            why = "nothing listens there"
        else:
            why = "the connection broke"
        return RegistryUnreachableError(f"cannot reach the registry at {self._base}: {why}", hint=CommandLine("status"))


def speaks_tls(url: str) -> RegistryUnreachableError:
    """The error for a registry that speaks TLS at the address of a URL."""
    return RegistryUnreachableError(
        f"the registry at {urlsplit(url).netloc} speaks TLS, but localreg speaks plain HTTP only",
        hint=CommandLine("--name", "OTHER", "up"),
    )


def _first_error(body: bytes) -> tuple[str | None, str | None]:
    """The code and the message of a registry's error body, `{"errors": [{code, message, detail}]}`."""
    try:
        first = json.loads(body)["errors"][0]
        return str(first["code"]), str(first.get("message") or "")
    except UNREADABLE:
        return None, None
