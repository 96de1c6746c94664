"""HTTP to one registry: connections stay open, size and time are bounded, and all failures are localreg's errors."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import urllib3
import urllib3.exceptions

from localreg import __version__
from localreg.errors import RegistryError
from localreg.oci.access import Access
from localreg.oci.answer import Answer, Failures, parse_object, read_answer
from localreg.oci.connections import STREAM_CHUNK, Connections, Use
from localreg.oci.leads import is_own_view, led_to, origin_of, resolved, target_of

if TYPE_CHECKING:
    from localreg.oci.challenge import Scopes
    from localreg.oci.login import Login
    from localreg.oci.pacing import Pacing

_SMALL_BYTES = 1 << 20
_SENT = (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT)
REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 5
_READS = ("GET", "HEAD")
_BUSY = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)

Body = Callable[[], bytes | Iterable[bytes] | None]
"""Gives the body of a request, from its beginning each time."""


class Transport:
    """Sends requests to one registry; safe to use from several threads.

    Args:
        base_url: `http://host:port` or `https://host:port`.
        timeout: Seconds for one whole request.
        connections: The number of connections to keep open.
        access: How to get into a registry that may want a login or a pause; None for an own one without a login.
        ca: The certificate of the only CA to trust, as PEM; None for those of the system and of engines.
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeout: float,
        connections: int,
        access: Access | None = None,
        ca: str | None = None,
    ) -> None:
        self._base = base_url
        self._is_own = access is None or access.is_own
        self._connections = Connections(timeout=timeout, most=connections, uses_proxy=not self._is_own, ca=ca)
        self.failures = Failures(base_url, seconds=timeout, access=access)
        self._login: Login | None = None
        self._pacing: Pacing | None = None
        if access is not None:
            from localreg.oci.login import Login  # noqa: PLC0415 -- most registries are the developer's own
            from localreg.oci.pacing import Pacing  # noqa: PLC0415 -- the same

            self._login = Login(access, base_url, self._ask_login_server)
            self._pacing = Pacing(access)
        self._agent = {} if access is None else {"User-Agent": f"localreg/{__version__}"}

    def close(self) -> None:
        """Close the connections."""
        self._connections.close()

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
            path: The path below the base URL, with the query; or a URL that the registry named.
            what: The name of the requested thing, for errors.
            limit: The largest accepted response in bytes.
            accept: The accepted media types.
            body: The body to send.
            media_type: The type of the body.
            part: The bytes to send, as in a `Range` header.
            expected: The status codes that mean success.

        Raises:
            RepositoryNotFoundError: the registry does not have it.
            RegistryUnreachableError: it does not answer, or its TLS is not trusted.
            RegistryError: any other response.
        """
        optional = {"Content-Type": media_type, "Range": part}
        headers = {"Accept": accept, **{name: value for name, value in optional.items() if value}}
        with self._translated():
            response = self._exchange(method, path, headers, lambda: body, what, final=expected)
            answer = read_answer(response, what, limit)
        if answer.status not in expected:
            raise self.failures.of_answer(answer, what)
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
        with self._translated():
            response = self._exchange("GET", path, headers, lambda: None, what, use=Use.DOWNLOAD)
        try:
            if response.status not in _SENT:
                with self._translated():
                    raise self.failures.of_answer(read_answer(response, what, _SMALL_BYTES), what)
            yield start if response.status == HTTPStatus.PARTIAL_CONTENT else 0, self._chunks(response)
        finally:
            if response.length_remaining != 0:
                # The rest is not wanted.
                response.close()
            response.release_conn()

    def _chunks(self, response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
        with self._translated():
            while chunk := response.read(STREAM_CHUNK):
                yield chunk

    def upload(self, path: str, what: str, read: Callable[[], Iterable[bytes]], *, size: int, begun_at: str) -> Answer:
        """Send something of any size with PUT.

        Args:
            path: The path below the base URL, with the query; or a URL that the registry named.
            what: The name of the thing, for errors.
            read: Gives its bytes; called again where the registry wants another attempt.
            size: How many bytes there are.
            begun_at: The path where the upload was begun, which tells the right that it needs.

        Raises:
            RegistryUnreachableError: the registry does not answer, or the connection breaks.
            RegistryError: it does not take it.
        """
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        with self._translated():
            response = self._exchange("PUT", path, headers, read, what, use=Use.UPLOAD, needs=begun_at)
            answer = read_answer(response, what, _SMALL_BYTES)
        if answer.status != HTTPStatus.CREATED:
            raise self.failures.of_answer(answer, what)
        return answer

    def locate(self, path: str, location: str) -> str:
        """Where a registry's `Location` or `Link` leads: a path of its own, or the URL of another host.

        The developer's own registry is taken by its word for the path only: it may not know where it is reached.

        Raises:
            RegistryError: it is not a valid URL, or leads from TLS to plain HTTP.
        """
        own = urljoin(self._base, path)
        url = resolved(own, location, who=self.failures.who)
        if self._is_own or is_own_view(self._base, url):
            return target_of(url)
        return led_to(own, url, who=self.failures.who)

    def _exchange(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: Body,
        what: str,
        *,
        use: Use = Use.SMALL,
        final: Collection[int] = (),
        needs: str | None = None,
    ) -> urllib3.BaseHTTPResponse:
        """Send a request as often as logins, pauses and redirects make necessary, until a status in `final`."""
        url = urljoin(self._base, path)
        scopes = self._scopes(method, needs or path)
        redirects = pauses = 0
        renewed: str | None = None
        while True:
            login = self._login if origin_of(url) == origin_of(self._base) else None
            authorization = None if login is None else renewed or login.header_for(scopes)
            sent = {**headers, **self._agent, **({"Authorization": authorization} if authorization else {})}
            response = self._send(method, url, sent, body(), use)
            status = response.status
            if status in final or status < HTTPStatus.MULTIPLE_CHOICES:
                return response
            self.failures.has_login = login is not None and login.has_credentials
            if status == HTTPStatus.UNAUTHORIZED and login is not None and renewed is None:
                # The first one is an invitation. Its connection is free again before the login needs one.
                answer = read_answer(response, what, _SMALL_BYTES)
                renewed = login.renew(answer.headers.get("WWW-Authenticate") or "", scopes, authorization)
                if renewed is None:
                    self.failures.has_login = login.has_credentials
                    raise self.failures.of_answer(answer, what)
            elif self._is_postponed(response, pauses):
                pauses += 1
                _drop(response)
            elif status in REDIRECTS and method in _READS and "Location" in response.headers:
                redirects += 1
                _drop(response)
                if redirects > _MOST_REDIRECTS:
                    raise RegistryError(f"{self.failures.who} redirects {what} without end", status=status)
                url = led_to(url, response.headers["Location"], who=self.failures.who)
            else:
                return response

    def _send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | Iterable[bytes] | None,
        use: Use = Use.SMALL,
    ) -> urllib3.BaseHTTPResponse:
        if self._pacing is not None:
            self._pacing.wait()
        pool = self._connections.pool(url, use)
        with self._translated(url):
            return pool.request(
                method,
                target_of(url),
                headers=headers,
                body=body,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )

    def _ask_login_server(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        """Send a request to the server that a registry gets its tokens from; redirects are not followed."""
        pauses = 0
        while True:
            response = self._send(method, url, headers, body)
            if not self._is_postponed(response, pauses):
                return read_answer(response, "a token", _SMALL_BYTES)
            pauses += 1
            _drop(response)

    def _is_postponed(self, response: urllib3.BaseHTTPResponse, pauses: int) -> bool:
        return self._pacing is not None and response.status in _BUSY and self._pacing.postpone(response.headers, pauses)

    def _scopes(self, method: str, path: str) -> Scopes:
        if self._login is None:
            return frozenset()
        from localreg.oci.challenge import scopes_of  # noqa: PLC0415 -- most registries are the developer's own

        return scopes_of(method, path)

    @contextlib.contextmanager
    def _translated(self, url: str | None = None) -> Iterator[None]:
        try:
            yield
        except (urllib3.exceptions.HTTPError, OSError) as exc:
            raise self.failures.of_connection(exc, url) from exc

    def parse(self, answer: Answer, what: str) -> dict[str, Any]:
        """Parse a response as a JSON object.

        Raises:
            RegistryError: it is not one.
        """
        found = parse_object(answer.body)
        if found is None:
            raise self.no_registry(answer, what)
        return dict(found)

    def no_registry(self, answer: Answer, what: str) -> RegistryError:
        """The error for a response that no registry sends."""
        return self.failures.no_registry(answer, what)


def _drop(response: urllib3.BaseHTTPResponse) -> None:
    """Read the short rest of an answer that is not wanted, so that its connection can be used again."""
    with contextlib.suppress(RegistryError):
        read_answer(response, "an answer", _SMALL_BYTES)
