"""The tags and manifests that the names of `rm` mean."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus

from localreg.content.pattern import Pattern, choose, read_pattern
from localreg.content.rm import Removal
from localreg.errors import (
    ConflictError,
    EngineError,
    InvalidReferenceError,
    RegistryError,
    RegistryUnreachableError,
    RepositoryNotFoundError,
    UsageError,
)
from localreg.oci.api import ManifestHead, RegistryClient
from localreg.oci.manifest import DOCKER_INDEX, OCI_INDEX, Index, parse_manifest
from localreg.oci.reference import Reference, parse_reference
from localreg.registry.container import Registry, host_of
from localreg.registry.volume import Volume
from localreg.system.command_line import CommandLine

_WORKERS = 16
_INDEXES = (OCI_INDEX, DOCKER_INDEX)
_SHORT = re.compile(r"(?P<name>[^@]+)@(?:sha256:)?(?P<prefix>[0-9a-f]{6,63})", re.ASCII)
"""A digest that was cut, as people copy it from a table."""
_SHOWN = len("sha256:") + 12
"""Characters of a digest in a message."""


@dataclass(frozen=True, slots=True)
class _Repository:
    """The manifests of a repository."""

    name: str
    tags: dict[str, str | None]
    """The digest of each tag; None if the registry cannot read it."""
    parents: dict[str, str]
    """For each child of an index that has a tag, the digest of that index."""
    untagged: frozenset[str]
    """The other manifests, as far as they are known."""

    @property
    def digests(self) -> list[str]:
        """The digests of all manifests: indexes before their children."""
        found = dict.fromkeys(digest for digest in self.tags.values() if digest)
        return [*found, *sorted({*self.parents, *self.untagged} - found.keys())]


class Planner:
    """Finds what the names of `rm` mean.

    Args:
        registry: The registry.
        client: A client of it.
        volume: Its volume, which also has manifests without a tag; None if it cannot be read.
    """

    def __init__(self, registry: Registry, client: RegistryClient, volume: Volume | None) -> None:
        self._registry = registry
        self._client = client
        self._volume = volume

    def plan(self, name: str) -> list[Removal]:
        """The removals for a reference or a pattern.

        Raises:
            InvalidReferenceError: it is not valid.
            RepositoryNotFoundError: a pattern or a digest matches nothing.
            UsageError: it names another registry, or a cut digest has several meanings.
            ConflictError: an index needs the manifest.
        """
        pattern = _pattern_in(name)
        if pattern:
            return list(self._matching(name, pattern))
        short = _SHORT.fullmatch(name)
        named = parse_reference(short["name"] if short else name)
        host = host_of(self._registry, named)
        if named.digest is None and not short:
            return [Removal(name, Reference(host, named.repository, named.tag or "latest"))]
        if named.tag is not None and not short:
            return [Removal(name, Reference(host, named.repository, named.tag), named.digest)]
        found = self._read(named.repository)
        digest = named.digest or self._complete(found, name, short["prefix"] if short else "")
        if digest not in found.digests:
            raise RepositoryNotFoundError(
                f"the registry does not have `{named.repository}@{digest[:_SHOWN]}`",
                hint=CommandLine("ls", *([named.repository] if found.tags else []), "--digests"),
            )
        if named.tag is not None:
            return [Removal(name, Reference(host, named.repository, named.tag), digest)]
        if digest in found.parents:
            raise ConflictError(
                f"`{digest[:_SHOWN]}` is part of index `{found.parents[digest][:_SHOWN]}`, which would break",
                hint=CommandLine("rm", f"{named.repository}@{found.parents[digest][:_SHOWN]}"),
            )
        return [_whole(name, host, found, digest)]

    def plan_repository(self, name: str) -> list[Removal]:
        """The removals for everything in a repository, but not in those below it.

        Raises:
            InvalidReferenceError: it is not a repository.
            RepositoryNotFoundError: there is no such repository, or it is empty.
            UsageError: it names another registry.
        """
        named = parse_reference(name)
        if named.tag or named.digest:
            raise InvalidReferenceError(
                f"`{name}` has a {'digest' if named.digest else 'tag'}; `rm --repository` removes whole repositories",
                hint=CommandLine("rm", "--repository", named.repository),
            )
        host, found = host_of(self._registry, named), self._read(named.repository)
        broken = [tag for tag, digest in found.tags.items() if digest is None]
        removals = [Removal(name, Reference(host, named.repository, tag)) for tag in broken]
        removals += [_whole(name, host, found, digest) for digest in found.digests]
        if not removals:
            raise RepositoryNotFoundError(f"repository `{named.repository}` is empty", hint=CommandLine("ls"))
        return removals

    def _matching(self, name: str, pattern: Pattern) -> Iterator[Removal]:
        """The removals for the tags that a pattern matches, each with its digest: one that moves meanwhile stays."""
        names = [found for found in self._client.iter_repositories() if pattern.fits(found)]
        tags, _ = choose([(found, tag) for found in names for tag in self._client.find_tags(found)], [pattern])
        if not tags:
            raise RepositoryNotFoundError(f"nothing in the registry matches `{name}`", hint=CommandLine("ls"))
        location = self._registry.get_location()
        with ThreadPoolExecutor(_WORKERS) as pool:
            for (repository, tag), head in zip(tags, pool.map(lambda found: self._head(*found), tags), strict=True):
                yield Removal(name, Reference(location, repository, tag), head.digest if head else None)

    def _read(self, repository: str) -> _Repository:
        tags = self._client.list_tags(repository)
        with ThreadPoolExecutor(_WORKERS) as pool:
            heads = dict(zip(tags, pool.map(lambda tag: self._head(repository, tag), tags), strict=True))
            tagged = dict.fromkeys(head.digest for head in heads.values() if head)
            indexes = [head.digest for head in heads.values() if head and "manifest.v" not in head.media_type]
            children = pool.map(lambda digest: self._children(repository, digest), dict.fromkeys(indexes))
            parents = {
                child: index for index, found in zip(dict.fromkeys(indexes), children, strict=True) for child in found
            }
        stored = self._stored(repository)
        return _Repository(
            repository,
            {tag: head.digest if head else None for tag, head in heads.items()},
            parents,
            frozenset(stored - tagged.keys() - parents.keys()),
        )

    def _stored(self, repository: str) -> set[str]:
        """The digests of all manifests in the volume."""
        if self._volume is None:
            return set()
        try:
            return {digest for _, digest in self._volume.read_links([repository]).revisions}
        except EngineError:
            return set()

    def _head(self, repository: str, tag: str) -> ManifestHead | None:
        """The digest of a tag; None if the registry lists it but cannot read it."""
        try:
            return self._client.head_manifest(repository, tag)
        except RegistryUnreachableError:
            raise
        except RepositoryNotFoundError:
            return None
        except RegistryError as exc:
            if exc.status != HTTPStatus.INTERNAL_SERVER_ERROR:
                raise
            return None

    def _children(self, repository: str, digest: str) -> tuple[str, ...]:
        try:
            stored = self._client.get_manifest(repository, digest)
            parsed = parse_manifest(stored.data, stored.media_type)
        except RegistryUnreachableError:
            raise
        except (RegistryError, RepositoryNotFoundError):
            return ()
        return tuple(child.digest for child in parsed.manifests) if isinstance(parsed, Index) else ()

    @staticmethod
    def _complete(found: _Repository, name: str, prefix: str) -> str:
        """The whole digest of one that was cut."""
        matching = [digest for digest in found.digests if digest.startswith(f"sha256:{prefix}")]
        if len(matching) > 1:
            raise UsageError(
                f"`{name}` is the start of {len(matching)} digests", hint=CommandLine("ls", found.name, "--digests")
            )
        return matching[0] if matching else f"sha256:{prefix}"


def check_name(name: str) -> None:
    """Refuse a name that no registry can have.

    Raises:
        InvalidReferenceError: it is neither a reference nor a pattern.
    """
    short = _SHORT.fullmatch(name)
    if not _pattern_in(name):
        parse_reference(short["name"] if short else name)


def _pattern_in(name: str) -> Pattern | None:
    return read_pattern(name) if any(wildcard in name for wildcard in "*?[") and "@" not in name else None


def _whole(source: str, host: str, found: _Repository, digest: str) -> Removal:
    tags = tuple(sorted(tag for tag, known in found.tags.items() if known == digest))
    return Removal(source, Reference(host, found.name, None, digest), digest, tags)


def distinct(removals: Iterable[Removal]) -> list[Removal]:
    """Removals without those that another one includes."""
    found: dict[str, Removal] = {}
    for removal in removals:
        found.setdefault(str(removal.reference), removal)
    covered = {str(thing) for removal in found.values() for thing in removal.things[:-1]}
    return [removal for reference, removal in found.items() if reference not in covered]
