"""The manifests about another one in a registry, such as its signatures: how they are found, and told of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache, partial
from itertools import islice

from localreg.errors import RegistryError, RegistryUnreachableError, RepositoryNotFoundError
from localreg.oci.api import RegistryClient, StoredManifest
from localreg.places.referrers_tag import stem_of, with_referrers

_MANY_TAGS = 10_000
_COSIGN = ("", ".sig", ".att", ".sbom")
"""The ends of the tags of referrers that are in use."""

Store = Callable[[str, str, StoredManifest], None]
"""Stores a manifest: the repository, the tag, and the manifest."""


class Referrers:
    """The referrers in a registry; safe to use from several threads.

    Args:
        client: A client of the registry.
    """

    def __init__(self, client: RegistryClient) -> None:
        self._client = client
        self._tags = lru_cache(maxsize=None)(self._list_tags)
        self._has_api = True
        """Until it is known that it has no referrers API."""

    def find(self, repository: str, digest: str) -> list[str]:
        """The tags that say they are about a manifest, and the digests that the registry lists as its referrers.

        The tags are `sha256-HEX`, or with cosign's `.sig`, `.att` or `.sbom`.
        """
        stem, by_stem = stem_of(digest), self._tags(repository)
        if by_stem is None:
            tags: Sequence[str] = [tag for tag in (stem + end for end in _COSIGN) if self._has(repository, tag)]
        else:
            tags = by_stem.get(stem, ())
        return [*tags, *(self._list(repository, digest) or ())]

    def tell(self, repository: str, members: Iterable[StoredManifest], store: Store) -> None:
        """Tell of manifests about others as the distribution specification has it for registries without its API.

        Args:
            repository: Where they are.
            members: The manifests; those about no other are ignored.
            store: Stores an index.
        """
        subjects: dict[str, list[StoredManifest]] = {}
        for stored in members:
            if stored.content.subject is not None:
                subjects.setdefault(stored.content.subject, []).append(stored)
        for subject, referrers in subjects.items():
            if self._list(repository, subject) is not None:
                continue
            try:
                before = self._client.get_manifest(repository, stem_of(subject))
            except RepositoryNotFoundError:
                before = None
            listed = with_referrers(before, referrers, is_there=partial(self._has, repository))
            if listed != before:
                store(repository, stem_of(subject), listed)

    def _has(self, repository: str, tag: str) -> bool:
        try:
            self._client.head_manifest(repository, tag)
        except RepositoryNotFoundError:
            return False
        return True

    def _list_tags(self, repository: str) -> Mapping[str, Sequence[str]] | None:
        """The tags of a repository by what stands before their first dot.

        Returns:
            None if the registry does not list them, or they are too many to read for a few.
        """
        found: dict[str, list[str]] = {}
        try:
            for number, tag in enumerate(islice(self._client.iter_tags(repository), _MANY_TAGS + 1)):
                if number == _MANY_TAGS:
                    return None
                found.setdefault(tag.partition(".")[0], []).append(tag)
        except RepositoryNotFoundError:
            return {}
        except RegistryUnreachableError:
            raise
        except RegistryError:
            return None
        return found

    def _list(self, repository: str, subject: str) -> Sequence[str] | None:
        """The digests that the registry lists as referrers of a manifest; None if it lists none of any."""
        if not self._has_api:
            return None
        found = self._client.list_referrers(repository, [subject])
        if subject not in found:
            self._has_api = False
            return None
        return [referrer.digest for referrer in found[subject]]
