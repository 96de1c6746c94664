"""HTTP to one registry: kept-alive connections, all answers bounded in size and time, all faults errors of ours."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import urllib3
import urllib3.connection
import urllib3.exceptions

from localreg.command_line import CommandLine
from localreg.errors import LocalregError, RegistryError, RegistryUnreachableError, RepositoryNotFoundError
from localreg.oci.deadline import with_deadline
from localreg.oci.manifest import UNREADABLE

_CHUNK = 64 << 10
_SHOWN = 200
_SMALL_BYTES = 1 << 20
_ABSENT = frozenset({"NAME_UNKNOWN", "MANIFEST_UNKNOWN", "BLOB_UNKNOWN", "NAME_INVALID"})


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: int
    headers: Any
    body: bytes


class _Connection(urllib3.connection.HTTPConnection):
    """Its read time-out is for a whole answer."""

    def connect(self) -> None:
        """Connect, then count."""
        super().connect()
        self.sock = with_deadline(self.sock)


class Transport:
    """Sends requests to one registry; may be used by several threads at once.

    Args:
        base_url: `http://host:port`.
        timeout: Seconds that one request may take in all.
        connections: How many are kept open.
    """

    def __init__(self, base_url: str, *, timeout: float, connections: int) -> None:
        self._base = base_url
        self._seconds = timeout
        # A pool asks no proxy, and sees by itself when the registry has closed a kept-alive connection.
        self._pool = urllib3.connectionpool.connection_from_url(
            base_url,
            maxsize=connections,
            block=True,
            timeout=urllib3.Timeout(connect=min(timeout, 5.0), read=timeout),
            retries=False,
        )
        self._pool.ConnectionCls = _Connection

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()

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
        expected: Collection[int] = (HTTPStatus.OK,),
    ) -> Answer:
        """Ask, and read the whole answer.

        Args:
            method: HTTP's.
            path: Below the base URL, with a query.
            what: What is asked for, as errors name it.
            limit: The most bytes that an answer may have.
            accept: The media types to ask for.
            body: What is sent.
            media_type: Of the body.
            expected: The statuses that are no error.

        Raises:
            RepositoryNotFoundError: there is no such thing.
            RegistryError: any other answer.
        """
        headers = {"Accept": accept, **({"Content-Type": media_type} if media_type else {})}
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

    def _read(self, response: urllib3.BaseHTTPResponse, what: str, limit: int) -> bytes:
        body = bytearray()
        at_end = False
        try:
            # `read1` hands on what is there instead of waiting for a full chunk.
            while part := response.read1(_CHUNK):
                body += part
                if len(body) > limit:
                    raise RegistryError(f"the registry's answer for {what} is larger than {limit >> 20} MiB")
            at_end = True
        except urllib3.exceptions.ProtocolError as exc:
            # The registry was reached; this answer alone may be broken, as that of a blob which is gone from its disk.
            raise RegistryError(f"the registry's answer for {what} broke off") from exc
        finally:
            if not at_end:
                response.close()
            # Whatever happened: the pool would wait for ever for one that does not come back.
            response.release_conn()
        return bytes(body)

    def parse(self, answer: Answer, what: str) -> dict[str, Any]:
        """The JSON object that an answer is.

        Raises:
            RegistryError: it is none.
        """
        try:
            found = json.loads(answer.body)
        except (ValueError, RecursionError) as exc:
            raise self.no_registry(answer, what) from exc
        if not isinstance(found, dict):
            raise self.no_registry(answer, what)
        return found

    def no_registry(self, answer: Answer, what: str) -> RegistryError:
        """What to say of an answer that no registry gives."""
        return RegistryError(
            f"what answers at {self._base} is no registry: no JSON for {what}",
            details=[answer.body[:_SHOWN].decode(errors="backslashreplace")],
            status=answer.status,
        )

    def _refusal(self, answer: Answer, what: str) -> LocalregError:
        code, message = _first_error(answer.body)
        absent = answer.status == HTTPStatus.NOT_FOUND
        if absent and (code in _ABSENT or not answer.body):
            return RepositoryNotFoundError(
                f"the registry has no {what.removeprefix('blob ').removeprefix('the tags of ')}",
                details=[message] if message else [],
            )
        if answer.status == HTTPStatus.UNAUTHORIZED:
            return RegistryError(
                f"the registry at {self._base} wants a login for {what}", status=answer.status, registry_code=code
            )
        said = f"{code}: {message}" if code else answer.body[:_SHOWN].decode(errors="backslashreplace").strip()
        return RegistryError(
            f"the registry answered {answer.status} for {what}",
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


def _first_error(body: bytes) -> tuple[str | None, str | None]:
    """Code and message of the registry's own error body, `{"errors": [{code, message, detail}]}`."""
    try:
        first = json.loads(body)["errors"][0]
        return str(first["code"]), str(first.get("message") or "")
    except UNREADABLE:
        return None, None
