"""The HTTP API of Distribution, as far as localreg uses it.

See https://distribution.github.io/distribution/spec/api/.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Container, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Self
from urllib.parse import parse_qs, quote, urljoin, urlsplit

from localreg.errors import DeleteDisabledError, RegistryError
from localreg.oci.manifest import MANIFEST_TYPES
from localreg.oci.transport import Answer, Transport

REQUEST_SECONDS = 30.0
"""How long one request may take in all."""
_PAGE = 1000
"""The most that Distribution lists at once; it refuses more."""
_MANIFEST_BYTES = 4 << 20
_PAGE_BYTES = 16 << 20
_BLOB_BYTES = 8 << 20
_ALGORITHMS = frozenset({"sha256", "sha512"})
_LINK = re.compile(r"<([^>]*)>\s*;.*\brel=\"?next\"?")
_ACCEPTED = (HTTPStatus.ACCEPTED,)
_CREATED = (HTTPStatus.CREATED,)
_NOT_BY_TAG = HTTPStatus.BAD_REQUEST
_DISABLED = HTTPStatus.METHOD_NOT_ALLOWED


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


class RegistryClient:
    """Speaks to one registry; may be used by several threads at once.

    Args:
        base_url: `http://host:port`.
        timeout: Seconds that one request may take in all.
        connections: How many are kept open.
    """

    def __init__(self, base_url: str, *, timeout: float = REQUEST_SECONDS, connections: int = 16) -> None:
        self._transport = Transport(base_url, timeout=timeout, connections=connections)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._transport.close()

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
        return StoredManifest(answer.body, head.media_type, _digest_of(answer.body))

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

    def put_blob(self, repository: str, data: bytes) -> str:
        """Store a small blob in a repository; returns its digest."""
        digest = _digest_of(data)
        what = f"an upload to `{repository}`"
        begun = self._transport.request("POST", f"/v2/{quote(repository)}/blobs/uploads/", what, expected=_ACCEPTED)
        place = urlsplit(urljoin(f"/v2/{quote(repository)}/blobs/uploads/", begun.headers.get("Location") or ""))
        query = f"{place.query}&" if place.query else ""
        self._transport.request(
            "PUT",
            f"{place.path}?{query}digest={quote(digest, safe=':')}",
            what,
            body=data,
            media_type="application/octet-stream",
            expected=_CREATED,
        )
        return digest

    def put_manifest(self, repository: str, reference: str, data: bytes, media_type: str) -> str:
        """Store a manifest under a tag, which moves, or under its digest; returns its digest."""
        self._manifest("PUT", repository, reference, body=data, media_type=media_type, expected=_CREATED)
        return _digest_of(data)

    def delete_manifest(self, repository: str, digest: str) -> None:
        """Delete a manifest, and with it every tag that names it.

        Raises:
            RepositoryNotFoundError: there is none.
            DeleteDisabledError: the registry deletes nothing.
        """
        self._refuse_disabled(self._manifest("DELETE", repository, digest, expected=(*_ACCEPTED, _DISABLED)))

    def delete_tag(self, repository: str, tag: str) -> bool:
        """Delete a tag alone, where the registry can; Distribution can from release 3 on.

        Returns:
            Whether it was done; False of a registry that deletes by digest only.

        Raises:
            DeleteDisabledError: the registry deletes nothing.
            RepositoryNotFoundError: there is no such tag.
        """
        answer = self._manifest("DELETE", repository, tag, expected=(*_ACCEPTED, _NOT_BY_TAG, _DISABLED))
        self._refuse_disabled(answer)
        return answer.status in _ACCEPTED

    @staticmethod
    def _refuse_disabled(answer: Answer) -> None:
        if answer.status == _DISABLED:
            raise DeleteDisabledError(
                "the registry was not started so that it deletes anything",
                hint="start it with -e REGISTRY_STORAGE_DELETE_ENABLED=true, as `localreg up` does",
                status=answer.status,
            )

    def _manifest(self, method: str, repository: str, reference: str, **options: Any) -> Answer:
        path = f"/v2/{quote(repository)}/manifests/{quote(reference, safe=':')}"
        what = f"`{repository}{'@' if ':' in reference else ':'}{reference}`"
        accept = ", ".join(MANIFEST_TYPES)
        return self._transport.request(method, path, what, limit=_MANIFEST_BYTES, accept=accept, **options)

    def _get(self, path: str, what: str, *, limit: int) -> Answer:
        return self._transport.request("GET", path, what, limit=limit)

    def _names(self, answer: Answer, what: str, key: str) -> list[str]:
        """The list under this key; Distribution says `null` for an empty one."""
        found = self._transport.parse(answer, what).get(key) or []
        if not isinstance(found, list):
            raise self._transport.no_registry(answer, what)
        return list(map(str, found))


def _head(answer: Answer, reference: str) -> ManifestHead:
    digest = answer.headers.get("Docker-Content-Digest") or (reference if ":" in reference else "")
    return ManifestHead(answer.headers.get("Content-Type") or "", digest)


def _digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _is_digest_of(digest: str, data: bytes) -> bool:
    algorithm, _, encoded = digest.partition(":")
    return algorithm in _ALGORITHMS and hashlib.new(algorithm, data).hexdigest() == encoded


def _next_page(answer: Answer, path: str, seen: Container[str]) -> str | None:
    """Where the list goes on; of an absolute link only the path, as its host is the registry's own view of itself."""
    found = _LINK.search(answer.headers.get("Link") or "")
    if found is None:
        return None
    parts = urlsplit(urljoin(path, found.group(1)))
    following = f"{parts.path}?{parts.query}"
    if not parse_qs(parts.query).get("last") or following in seen:
        raise RegistryError(f"the registry's next page is none: {found.group(1)}")
    return following
