"""Whether a registry serves what its volume holds: it may store its data elsewhere, such as in S3."""

from __future__ import annotations

from itertools import islice

from localreg.errors import RegistryError, RegistryUnreachableError, RepositoryNotFoundError
from localreg.oci.api import RegistryClient
from localreg.registry.volume_layout import Links

_TRIED = 20
"""Tags of which one must be the same: some may be broken, or just be pushed."""


def agrees(client: RegistryClient, links: Links) -> bool:
    """Whether a registry has the same digest for a tag as a volume, or the same manifest if there are no tags.

    If there is none that it can read, it must have no other tags than the volume.

    Raises:
        RegistryError: it cannot be asked.
    """
    whole = (
        (link.repository, link.tag, link.digest)
        for link in links.tags
        if (link.repository, link.digest) in links.revisions
    )
    untagged = ((repository, digest, digest) for repository, digest in links.revisions)
    differs = False
    for repository, reference, digest in islice(whole if links.tags else untagged, _TRIED):
        try:
            if client.head_manifest(repository, reference).digest == digest:
                return True
            differs = True
        except RepositoryNotFoundError:
            differs = True
        except RegistryUnreachableError:
            raise
        except RegistryError:
            continue
    return not differs and all(
        (repository, tag) in links.by_tag
        for repository in client.iter_repositories()
        for tag in client.find_tags(repository)
    )
