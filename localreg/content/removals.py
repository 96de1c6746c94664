"""The tags and manifests that the names of `rm` mean."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from localreg.content.pattern import Pattern, choose, read_pattern
from localreg.content.repository import WORKERS, Repository, head_tag, read_repository
from localreg.content.rm import Removal
from localreg.content.short_digest import is_cut, read_reference, shown
from localreg.errors import ConflictError, InvalidReferenceError, RepositoryNotFoundError
from localreg.oci.api import RegistryClient
from localreg.oci.reference import Reference, parse_reference
from localreg.registry.container import Registry, host_of
from localreg.registry.volume import Volume
from localreg.system.command_line import CommandLine


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
        named = read_reference(name)
        host = host_of(self._registry, named)
        if named.digest is None:
            return [Removal(name, Reference(host, named.repository, named.tag or "latest"))]
        if named.tag is not None and not is_cut(named.digest):
            return [Removal(name, Reference(host, named.repository, named.tag), named.digest)]
        found = read_repository(self._client, self._volume, named.repository)
        digest = found.find(named.digest)
        if named.tag is not None:
            return [Removal(name, Reference(host, named.repository, named.tag), digest)]
        if digest in found.parents:
            part, index = (shown(Reference(None, found.name, None, one)) for one in (digest, found.parents[digest]))
            raise ConflictError(
                f"`{part}` is part of index `{index}`, which would break", hint=CommandLine("rm", index)
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
        host, found = host_of(self._registry, named), read_repository(self._client, self._volume, named.repository)
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
        with ThreadPoolExecutor(WORKERS) as pool:
            heads = pool.map(lambda found: head_tag(self._client, *found), tags)
            for (repository, tag), head in zip(tags, heads, strict=True):
                yield Removal(name, Reference(location, repository, tag), head.digest if head else None)


def check_name(name: str) -> None:
    """Refuse a name that no registry can have.

    Raises:
        InvalidReferenceError: it is neither a reference nor a pattern.
    """
    if not _pattern_in(name):
        read_reference(name)


def _pattern_in(name: str) -> Pattern | None:
    return read_pattern(name) if any(wildcard in name for wildcard in "*?[") and "@" not in name else None


def _whole(source: str, host: str, found: Repository, digest: str) -> Removal:
    return Removal(source, Reference(host, found.name, None, digest), digest, found.tags_of(digest))


def distinct(removals: Iterable[Removal]) -> list[Removal]:
    """Removals without those that another one includes."""
    found: dict[str, Removal] = {}
    for removal in removals:
        found.setdefault(str(removal.reference), removal)
    covered = {str(thing) for removal in found.values() for thing in removal.things[:-1]}
    return [removal for reference, removal in found.items() if reference not in covered]
