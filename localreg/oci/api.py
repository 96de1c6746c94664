"""The parts of Distribution's HTTP API that localreg uses.

See https://distribution.github.io/distribution/spec/api/.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from typing import Any, Self
from urllib.parse import quote

from localreg.errors import DeleteDisabledError, RegistryError, RepositoryNotFoundError
from localreg.oci.access import Access
from localreg.oci.answer import Answer
from localreg.oci.blobs import Blobs
from localreg.oci.digest import digest_of, is_whole
from localreg.oci.manifest import MANIFEST_TYPES, Descriptor, Index, Manifest, parse_manifest
from localreg.oci.pages import iter_names
from localreg.oci.referrers import list_referrers
from localreg.oci.transport import Transport
from localreg.system.command_line import Sentence

REQUEST_SECONDS = 30.0
"""How long one whole request may take."""
_PAGE = 1000
"""The largest page that Distribution returns; it rejects a request for more."""
LARGEST_MANIFEST = 4 << 20
"""Bytes; Distribution takes no larger one."""
_BLOB_BYTES = 8 << 20
_REWRITTEN = (0.05, 0.1, 0.2)
"""Seconds between attempts after a 500, which Distribution returns for a tag while another client writes it."""
_TOTAL = re.compile(r"/(\d+)$")
_PARTIAL = (
    HTTPStatus.PARTIAL_CONTENT,
    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
    HTTPStatus.OK,
    HTTPStatus.TEMPORARY_REDIRECT,
)
_ACCEPTED = (HTTPStatus.ACCEPTED,)
_CREATED = (HTTPStatus.CREATED,)
_NOT_BY_TAG = HTTPStatus.BAD_REQUEST
_DISABLED = HTTPStatus.METHOD_NOT_ALLOWED


@dataclass(frozen=True)
class StoredManifest:
    """A manifest or an index as the registry stores it."""

    data: bytes
    media_type: str
    """As the registry sent it; empty if it was not the registry that was asked."""
    digest: str

    @cached_property
    def content(self) -> Manifest | Index:
        """It is parsed once.

        Raises:
            RegistryError: it is neither a manifest nor an index.
        """
        return parse_manifest(self.data, self.media_type)


@dataclass(frozen=True, slots=True)
class ManifestHead:
    """The digest and the media type of a manifest, without its content."""

    media_type: str
    digest: str


@dataclass(frozen=True, slots=True)
class BlobPart:
    """Some bytes of a blob."""

    data: bytes
    size: int
    """Bytes of the whole blob."""


class RegistryClient:
    """A client of one registry, safe to use from several threads.

    Args:
        base_url: `http://host:port` or `https://host:port`.
        timeout: Seconds for one whole request.
        connections: The number of connections to keep open.
        access: How to get into a registry that may want a login or a pause; None for the developer's own.
        ca: The certificate of the only CA to trust, as PEM; None for those of the system and of engines.
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeout: float = REQUEST_SECONDS,
        connections: int = 16,
        access: Access | None = None,
        ca: str | None = None,
    ) -> None:
        self.transport = Transport(base_url, timeout=timeout, connections=connections, access=access, ca=ca)
        """For requests that few callers make."""
        self.blobs = Blobs(self.transport)
        self.who = self.transport.failures.who
        """How errors name the registry."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.transport.close()

    def iter_repositories(self) -> Iterator[str]:
        """Every repository in the catalog, also empty ones, page by page."""
        return iter_names(self.transport, f"/v2/_catalog?n={_PAGE}", "the catalog", "repositories")

    def iter_tags(self, repository: str) -> Iterator[str]:
        """The tags of a repository, page by page; none if all were removed.

        Raises:
            RepositoryNotFoundError: there is no such repository.
        """
        return iter_names(self.transport, f"/v2/{quote(repository)}/tags/list", f"the tags of `{repository}`", "tags")

    def list_tags(self, repository: str) -> list[str]:
        """The tags of a repository; none if all were removed.

        Raises:
            RepositoryNotFoundError: there is no such repository.
        """
        return list(self.iter_tags(repository))

    def find_tags(self, repository: str) -> list[str]:
        """The tags of a repository; none if it does not exist, or was removed after the catalog was read."""
        try:
            return self.list_tags(repository)
        except RepositoryNotFoundError:
            return []

    def has_tags(self, repository: str) -> bool:
        """The repository exists and has a tag."""
        return bool(self.find_tags(repository))

    def get_manifest(self, repository: str, reference: str) -> StoredManifest:
        """A manifest or an index, checked against its digest.

        Args:
            repository: Its name.
            reference: A tag or a digest.

        Raises:
            RepositoryNotFoundError: there is none.
        """
        answer = self._read_manifest("GET", repository, reference)
        head = _head(answer, reference)
        for digest in filter(None, {head.digest, reference if ":" in reference else ""}):
            if not is_whole(digest, answer.body):
                raise RegistryError(
                    f"{self.transport.failures.who} sent other content than {digest} for `{repository}:{reference}`"
                )
        return StoredManifest(answer.body, head.media_type, digest_of(answer.body))

    def head_manifest(self, repository: str, reference: str) -> ManifestHead:
        """The digest and the media type of a manifest.

        Raises:
            RepositoryNotFoundError: there is none.
        """
        head = _head(self._read_manifest("HEAD", repository, reference), reference)
        if not head.digest:
            raise RegistryError(f"the registry sent no digest for `{repository}:{reference}`")
        return head

    def get_blob(self, repository: str, digest: str) -> bytes:
        """A small blob, such as a config; a large one is an error."""
        path = f"/v2/{quote(repository)}/blobs/{quote(digest, safe=':')}"
        return self.transport.request("GET", path, f"blob {digest}", limit=_BLOB_BYTES).body

    def get_blob_part(self, repository: str, digest: str, part: str) -> BlobPart | None:
        """Some bytes of a blob, and its length.

        Args:
            repository: Its name.
            digest: The digest of the blob.
            part: The bytes, as in a `Range` header, such as `bytes=-4` for the last four.

        Returns:
            None if the registry does not send parts itself.

        Raises:
            RepositoryNotFoundError: there is none.
            RegistryError: it cannot be read.
        """
        path = f"/v2/{quote(repository)}/blobs/{quote(digest, safe=':')}"
        try:
            answer = self.transport.request(
                "GET", path, f"blob {digest}", limit=_BLOB_BYTES, part=part, expected=_PARTIAL
            )
        except RegistryError as exc:
            if exc.status == HTTPStatus.OK:
                return None
            raise
        found = _TOTAL.search(answer.headers.get("Content-Range") or "")
        if found is None:
            return None
        return BlobPart(answer.body if answer.status == HTTPStatus.PARTIAL_CONTENT else b"", int(found.group(1)))

    def put_blob(self, repository: str, data: bytes) -> str:
        """Store a small blob in a repository; returns its digest."""
        self.blobs.store(repository, digest_of(data), len(data), lambda: [data])
        return digest_of(data)

    def put_manifest(self, repository: str, reference: str, data: bytes, media_type: str) -> str:
        """Store a manifest under a tag or its digest; returns its digest. An existing tag moves."""
        self._manifest("PUT", repository, reference, body=data, media_type=media_type, expected=_CREATED)
        return digest_of(data)

    def list_referrers(self, repository: str, subjects: Iterable[str]) -> dict[str, tuple[Descriptor, ...]]:
        """The manifests about others, by the digest of that one, as the referrers API of the registry lists them.

        Args:
            repository: Its name.
            subjects: The digests to ask for. A registry without the API is asked for the first one only.

        Raises:
            RegistryUnreachableError: it does not answer, or speaks TLS.
            RegistryError: it fails, or allows no more requests.
        """
        return list_referrers(self.transport, repository, subjects)

    def delete_manifest(self, repository: str, digest: str) -> None:
        """Delete a manifest with all its tags.

        Raises:
            RepositoryNotFoundError: there is none.
            DeleteDisabledError: deleting is disabled in the registry.
        """
        self._refuse_disabled(self._manifest("DELETE", repository, digest, expected=(*_ACCEPTED, _DISABLED)))

    def delete_tag(self, repository: str, tag: str) -> bool:
        """Delete a tag alone, if the registry can; Distribution can since release 3.

        Returns:
            True if it was deleted; False if the registry deletes by digest only.

        Raises:
            DeleteDisabledError: deleting is disabled in the registry.
            RepositoryNotFoundError: there is no such tag.
        """
        answer = self._manifest("DELETE", repository, tag, expected=(*_ACCEPTED, _NOT_BY_TAG, _DISABLED))
        self._refuse_disabled(answer)
        return answer.status in _ACCEPTED

    @staticmethod
    def _refuse_disabled(answer: Answer) -> None:
        if answer.status == _DISABLED:
            raise DeleteDisabledError(
                "deleting is disabled in the registry",
                hint=Sentence("start it with -e REGISTRY_STORAGE_DELETE_ENABLED=true, as `localreg up` does"),
                status=answer.status,
            )

    def _read_manifest(self, method: str, repository: str, reference: str) -> Answer:
        for pause in _REWRITTEN if ":" not in reference else ():
            try:
                return self._manifest(method, repository, reference)
            except RegistryError as exc:
                if exc.status != HTTPStatus.INTERNAL_SERVER_ERROR:
                    raise
            time.sleep(pause)
        return self._manifest(method, repository, reference)

    def _manifest(self, method: str, repository: str, reference: str, **options: Any) -> Answer:
        path = f"/v2/{quote(repository)}/manifests/{quote(reference, safe=':')}"
        what = f"`{repository}{'@' if ':' in reference else ':'}{reference}`"
        accept = ", ".join(MANIFEST_TYPES)
        return self.transport.request(method, path, what, limit=LARGEST_MANIFEST, accept=accept, **options)


def _head(answer: Answer, reference: str) -> ManifestHead:
    digest = answer.headers.get("Docker-Content-Digest") or (reference if ":" in reference else "")
    return ManifestHead(answer.headers.get("Content-Type") or "", digest)
