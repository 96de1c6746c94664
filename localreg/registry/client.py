"""A client of one registry: kept-alive connections, all answers bounded in size and time, all faults errors of ours."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Container, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Self
from urllib.parse import parse_qs, quote, urljoin, urlsplit

import urllib3
import urllib3.exceptions

from localreg.errors import LocalregError, RegistryError, RegistryUnreachableError, RepositoryNotFoundError
from localreg.oci import MANIFEST_TYPES, UNREADABLE
from localreg.registry.deadline import DeadlineConnection

_PAGE = 1000
"""The most that Distribution lists at once; it refuses more."""
_MANIFEST_BYTES = 4 << 20
_PAGE_BYTES = 16 << 20
_BLOB_BYTES = 8 << 20
_CHUNK = 64 << 10
_SHOWN = 200
_ALGORITHMS = frozenset({"sha256", "sha512"})
_LINK = re.compile(r"<([^>]*)>\s*;.*\brel=\"?next\"?")
_ABSENT = frozenset({"NAME_UNKNOWN", "MANIFEST_UNKNOWN", "BLOB_UNKNOWN", "NAME_INVALID"})


@dataclass(frozen=True, slots=True)
class StoredManifest:
    """A manifest or an index as the registry stores it."""

    data: bytes
    media_type: str
    digest: str


@dataclass(frozen=True, slots=True)
class ManifestHead:
    """What a registry says of a manifest without sending it."""

    media_type: str
    digest: str


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Any
    body: bytes


class RegistryClient:
    """Speaks to one registry; may be used by several threads at once.

    Args:
        base_url: `http://host:port`.
        timeout: Seconds that one request may take in all.
        connections: How many are kept open.
    """

    def __init__(self, base_url: str, *, timeout: float = 30.0, connections: int = 16) -> None:
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
        self._pool.ConnectionCls = DeadlineConnection

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._pool.close()

    def iter_repositories(self) -> Iterator[str]:
        """Every repository that the registry lists, emptied ones included, page by page."""
        path: str | None = f"/v2/_catalog?n={_PAGE}"
        seen: set[str] = set()
        while path is not None:
            seen.add(path)
            answer = self._get(path, "its catalog", limit=_PAGE_BYTES)
            yield from self._names(answer, "its catalog", "repositories")
            path = _next_page(answer, path, seen)

    def list_tags(self, repository: str) -> list[str]:
        """The tags of a repository; none when it was emptied.

        Raises:
            RepositoryNotFoundError: there is no such repository.
        """
        what = f"the tags of `{repository}`"
        answer = self._get(f"/v2/{quote(repository)}/tags/list", what, limit=_PAGE_BYTES)
        return self._names(answer, what, "tags")

    def get_manifest(self, repository: str, reference: str) -> StoredManifest:
        """A manifest or an index, checked against its digest.

        Args:
            repository: Its name.
            reference: A tag or a digest.

        Raises:
            RepositoryNotFoundError: there is none.
        """
        answer = self._manifest("GET", repository, reference)
        head = _head(answer, reference)
        for digest in filter(None, {head.digest, reference if ":" in reference else ""}):
            if not _is_digest_of(digest, answer.body):
                raise RegistryError(f"the registry answers other bytes than {digest} for `{repository}:{reference}`")
        return StoredManifest(answer.body, head.media_type, f"sha256:{hashlib.sha256(answer.body).hexdigest()}")

    def head_manifest(self, repository: str, reference: str) -> ManifestHead:
        """The digest and the media type of a manifest.

        Raises:
            RepositoryNotFoundError: there is none.
        """
        head = _head(self._manifest("HEAD", repository, reference), reference)
        if not head.digest:
            raise RegistryError(f"the registry says no digest for `{repository}:{reference}`")
        return head

    def get_blob(self, repository: str, digest: str) -> bytes:
        """A small blob, such as a config; one that is large is an error."""
        path = f"/v2/{quote(repository)}/blobs/{quote(digest, safe=':')}"
        return self._get(path, f"blob {digest}", limit=_BLOB_BYTES).body

    def _manifest(self, method: str, repository: str, reference: str) -> _Answer:
        path = f"/v2/{quote(repository)}/manifests/{quote(reference, safe=':')}"
        what = f"`{repository}{'@' if ':' in reference else ':'}{reference}`"
        return self._request(method, path, what, limit=_MANIFEST_BYTES, accept=", ".join(MANIFEST_TYPES))

    def _get(self, path: str, what: str, *, limit: int) -> _Answer:
        return self._request("GET", path, what, limit=limit)

    def _request(self, method: str, path: str, what: str, *, limit: int, accept: str = "*/*") -> _Answer:
        try:
            response = self._pool.request(
                method, path, headers={"Accept": accept}, preload_content=False, decode_content=False
            )
            body = self._read(response, what, limit)
        except (urllib3.exceptions.HTTPError, OSError) as exc:
            raise self._unreachable(exc) from exc
        answer = _Answer(response.status, response.headers, body)
        if response.status != HTTPStatus.OK:
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

    def _names(self, answer: _Answer, what: str, key: str) -> list[str]:
        """The list under this key; Distribution says `null` for an empty one."""
        found = self._json(answer, what).get(key) or []
        if not isinstance(found, list):
            raise self._no_registry(answer, what)
        return list(map(str, found))

    def _json(self, answer: _Answer, what: str) -> dict[str, Any]:
        try:
            found = json.loads(answer.body)
        except (ValueError, RecursionError) as exc:
            raise self._no_registry(answer, what) from exc
        if not isinstance(found, dict):
            raise self._no_registry(answer, what)
        return found

    def _no_registry(self, answer: _Answer, what: str) -> RegistryError:
        return RegistryError(
            f"what answers at {self._base} is no registry: no JSON for {what}",
            details=[answer.body[:_SHOWN].decode(errors="backslashreplace")],
            status=answer.status,
        )

    def _refusal(self, answer: _Answer, what: str) -> LocalregError:
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
        return RegistryUnreachableError(f"cannot reach the registry at {self._base}: {why}", hint="localreg status")


def _head(answer: _Answer, reference: str) -> ManifestHead:
    digest = answer.headers.get("Docker-Content-Digest") or (reference if ":" in reference else "")
    return ManifestHead(answer.headers.get("Content-Type") or "", digest)


def _first_error(body: bytes) -> tuple[str | None, str | None]:
    """Code and message of the registry's own error body, `{"errors": [{code, message, detail}]}`."""
    try:
        first = json.loads(body)["errors"][0]
        return str(first["code"]), str(first.get("message") or "")
    except UNREADABLE:
        return None, None


def _is_digest_of(digest: str, data: bytes) -> bool:
    algorithm, _, encoded = digest.partition(":")
    return algorithm in _ALGORITHMS and hashlib.new(algorithm, data).hexdigest() == encoded


def _next_page(answer: _Answer, path: str, seen: Container[str]) -> str | None:
    """Where the list goes on; of an absolute link only the path, as its host is the registry's own view of itself."""
    found = _LINK.search(answer.headers.get("Link") or "")
    if found is None:
        return None
    parts = urlsplit(urljoin(path, found.group(1)))
    following = f"{parts.path}?{parts.query}"
    if not parse_qs(parts.query).get("last") or following in seen:
        raise RegistryError(f"the registry's next page is none: {found.group(1)}")
    return following
