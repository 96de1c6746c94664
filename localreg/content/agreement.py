"""Whether a registry serves what its volume holds: it may store its data elsewhere, such as in S3."""

from __future__ import annotations

from itertools import islice

from localreg.errors import RegistryError, RegistryUnreachableError, RepositoryNotFoundError
from localreg.oci.api import RegistryClient
from localreg.registry.volume import Volume
from localreg.registry.volume_layout import Links

_LOOKS = 5
"""Pushes may move the few tags that there are during each."""
_TRIED = 20
"""Tags of which one must be the same: some may be broken, or just be pushed."""


def read_served_links(client: RegistryClient, volume: Volume) -> Links | None:
    """The links of a volume; None if the registry does not serve them.

    Raises:
        EngineError: the volume cannot be read.
        RegistryError: the registry cannot be asked.
    """
    looks = (volume.read_links() for _ in range(_LOOKS))
    return next((links for links in looks if agrees(client, links)), None)


def agrees(client: RegistryClient, links: Links) -> bool:
    """Whether a registry serves what a volume holds.

    If it can read none of the tags that are tried, it must have no other tags than the volume.

    Args:
        client: A client of the registry.
        links: All links of the volume.

    Raises:
        RegistryError: it cannot be asked.
    """
    found = has_one_of(client, links)
    return found or (
        found is None
        and all(
            (repository, tag) in links.by_tag
            for repository in client.iter_repositories()
            for tag in client.find_tags(repository)
        )
    )


def has_one_of(client: RegistryClient, links: Links) -> bool | None:
    """Whether a registry has the same digest for a tag as a volume, or the same manifest if no tag is whole.

    Returns:
        None if it can read none of those that are tried.

    Raises:
        RegistryUnreachableError: it does not answer.
    """
    whole = (
        (link.repository, link.tag, link.digest)
        for link in links.tags
        if (link.repository, link.digest) in links.revisions
    )
    manifests = ((repository, digest, digest) for repository, digest in links.revisions)
    differs = False
    for repository, reference, digest in list(islice(whole, _TRIED)) or islice(manifests, _TRIED):
        try:
            if _read_digest(client, repository, reference) == digest:
                return True
            differs = True
        except RepositoryNotFoundError:
            differs = True
        except RegistryUnreachableError:
            raise
        except RegistryError:
            continue
    return False if differs else None


def _read_digest(client: RegistryClient, repository: str, reference: str) -> str:
    # A push asks for manifests by digest with HEAD, and garbage collection leaves those alone for a while.
    by_digest = ":" in reference
    return (client.get_manifest if by_digest else client.head_manifest)(repository, reference).digest
