"""Ask a registry for the manifests about another one, by the referrers API of the distribution specification 1.1.

Distribution does not have it: its clients keep an index under a tag instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from http import HTTPStatus
from urllib.parse import quote

from localreg.errors import RegistryError, RegistryUnreachableError, RepositoryNotFoundError
from localreg.oci.manifest import OCI_INDEX, Descriptor, Index, parse_manifest
from localreg.oci.pages import next_page
from localreg.oci.transport import Transport

_LARGEST = 4 << 20
_MOST_PAGES = 1000
_FAILURES = (
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
)


def list_referrers(transport: Transport, repository: str, subjects: Iterable[str]) -> dict[str, tuple[Descriptor, ...]]:
    """The manifests about others, by the digest of that one.

    Args:
        transport: Sends the requests.
        repository: Its name.
        subjects: The digests to ask for. A registry without the API is asked for the first one only.

    Raises:
        RegistryUnreachableError: it does not answer, or speaks TLS.
        RegistryError: it fails, or allows no more requests: then it may have referrers all the same.
    """
    found: dict[str, tuple[Descriptor, ...]] = {}
    try:
        for subject in subjects:
            found[subject] = tuple(_iter_referrers(transport, repository, subject))
    except RegistryUnreachableError:
        raise
    except (RegistryError, RepositoryNotFoundError) as exc:
        # Without the API, most registries answer 404, and some something that is not an index.
        if getattr(exc, "status", None) in _FAILURES:
            raise
        return found
    return found


def _iter_referrers(transport: Transport, repository: str, subject: str) -> Iterator[Descriptor]:
    path: str | None = f"/v2/{quote(repository)}/referrers/{quote(subject, safe=':')}"
    seen: set[str] = set()
    while path is not None and len(seen) < _MOST_PAGES:
        seen.add(path)
        what = f"the referrers of `{repository}@{subject}`"
        answer = transport.request("GET", path, what, limit=_LARGEST, accept=OCI_INDEX)
        index = parse_manifest(answer.body, OCI_INDEX)
        yield from index.manifests if isinstance(index, Index) else ()
        path = next_page(answer, path, seen, who=transport.failures.who, names_last=False)
