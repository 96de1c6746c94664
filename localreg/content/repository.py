"""The tags and manifests of a repository, and those that a digest can mean."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus

from localreg.content.short_digest import shown
from localreg.errors import (
    EngineError,
    RegistryError,
    RegistryUnreachableError,
    RepositoryNotFoundError,
    UsageError,
)
from localreg.oci.api import ManifestHead, RegistryClient
from localreg.oci.manifest import DOCKER_MANIFEST, OCI_MANIFEST, Descriptor, Index
from localreg.oci.reference import Reference
from localreg.registry.volume import Volume
from localreg.registry.volume_layout import Links
from localreg.system.command_line import CommandLine

WORKERS = 16
"""Requests to the registry at the same time."""
_CANDIDATES = 10


@dataclass(frozen=True, slots=True)
class Repository:
    """The manifests of a repository."""

    name: str
    tags: Mapping[str, str | None]
    """The digest of each tag; None if the registry cannot read it."""
    parents: Mapping[str, str]
    """For each child of an index that has a tag, also by way of other indexes, the digest of that index."""
    untagged: frozenset[str]
    """The other manifests, as far as they are known."""

    @property
    def digests(self) -> list[str]:
        """The digests of all manifests: indexes before their children."""
        found = dict.fromkeys(digest for digest in self.tags.values() if digest)
        return [*found, *sorted({*self.parents, *self.untagged} - found.keys())]

    def tags_of(self, digest: str) -> tuple[str, ...]:
        """The tags of a manifest, in order."""
        return tuple(sorted(tag for tag, found in self.tags.items() if found == digest))

    def find(self, digest: str) -> str:
        """The whole digest of one that may be cut.

        Raises:
            RepositoryNotFoundError: no manifest has such a digest.
            UsageError: several have; the details are their digests.
        """
        typed = shown(Reference(None, self.name, None, digest))
        matching = sorted(found for found in self.digests if found.startswith(digest))
        listing = CommandLine("ls", *([self.name] if self.tags else []), "--digests")
        if not matching:
            raise RepositoryNotFoundError(f"the registry does not have `{typed}`", hint=listing)
        if len(matching) > 1:
            raise UsageError(
                f"`{typed}` is the start of {len(matching)} digests; type more of it",
                hint=listing,
                details=matching[:_CANDIDATES],
            )
        return matching[0]


def read_repository(client: RegistryClient | None, volume: Volume | None, name: str) -> Repository:
    """Read the tags and manifests of a repository.

    Args:
        client: A client of the registry; None if this machine cannot reach it.
        volume: Its volume, which also has manifests that no tag leads to; None if it cannot be read.
        name: The repository.

    Raises:
        RepositoryNotFoundError: there is no such repository.
    """
    links = _read_links(volume, name)
    stored = {digest for _, digest in links.revisions}
    if client is None:
        return Repository(name, {link.tag: link.digest for link in links.tags}, {}, frozenset(stored))
    try:
        tags = client.list_tags(name)
    except RepositoryNotFoundError as exc:
        # A repository that was only pushed to by digest is one without tags.
        if not stored:
            raise exc.with_(hint=CommandLine("ls")) from exc
        tags = []
    with ThreadPoolExecutor(WORKERS) as pool:
        heads = dict(zip(tags, pool.map(lambda tag: head_tag(client, name, tag), tags), strict=True))
        tagged = dict.fromkeys(head.digest for head in heads.values() if head)
        indexes = dict.fromkeys(head.digest for head in heads.values() if head and "manifest.v" not in head.media_type)
        children = pool.map(lambda digest: _parts(client, name, digest), indexes)
        parents = {child: index for index, found in zip(indexes, children, strict=True) for child in found}
    return Repository(
        name,
        {tag: head.digest if head else None for tag, head in heads.items()},
        parents,
        frozenset(stored - tagged.keys() - parents.keys()),
    )


def head_tag(client: RegistryClient, repository: str, tag: str) -> ManifestHead | None:
    """The digest of a tag; None if the registry lists it but cannot read it."""
    try:
        return client.head_manifest(repository, tag)
    except RegistryUnreachableError:
        raise
    except RepositoryNotFoundError:
        return None
    except RegistryError as exc:
        if exc.status != HTTPStatus.INTERNAL_SERVER_ERROR:
            raise
        return None


def _parts(client: RegistryClient, repository: str, index: str) -> set[str]:
    """The digests of an index's children, and of those in indexes among them."""
    found, left = set[str](), [index]
    while left:
        new = [child for child in _children(client, repository, left.pop()) if child.digest not in found]
        found.update(child.digest for child in new)
        left += [child.digest for child in new if child.media_type not in (OCI_MANIFEST, DOCKER_MANIFEST)]
    return found - {index}


def _children(client: RegistryClient, repository: str, digest: str) -> tuple[Descriptor, ...]:
    try:
        parsed = client.get_manifest(repository, digest).content
    except RegistryUnreachableError:
        raise
    except (RegistryError, RepositoryNotFoundError):
        return ()
    # BuildKit's cache is an index of layers, which are not manifests.
    return tuple(child for child in parsed.manifests if child.is_manifest) if isinstance(parsed, Index) else ()


def _read_links(volume: Volume | None, repository: str) -> Links:
    try:
        return Links((), frozenset()) if volume is None else volume.read_links([repository])
    except EngineError:
        return Links((), frozenset())
