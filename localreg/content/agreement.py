"""Whether a registry serves what its volume holds: it may store its data elsewhere, such as in S3."""

from __future__ import annotations

import contextlib
from itertools import islice

from localreg.errors import RegistryError, RegistryUnreachableError, RepositoryNotFoundError
from localreg.oci.api import RegistryClient
from localreg.registry.volume_layout import Links

_TRIED = 5
"""Tags of which one must be readable; a few may be broken."""


def agrees(client: RegistryClient, links: Links) -> bool | None:
    """Whether a registry has the same digest for a tag as a volume, or the same manifest if there are no tags.

    Returns:
        None if nothing tells: there is none, or the registry cannot read those that were tried.

    Raises:
        RegistryUnreachableError: the registry does not answer.
    """
    whole = (
        (link.repository, link.tag, link.digest)
        for link in links.tags
        if (link.repository, link.digest) in links.revisions
    )
    untagged = ((repository, digest, digest) for repository, digest in links.revisions)
    for repository, reference, digest in islice(whole if links.tags else untagged, _TRIED):
        try:
            with contextlib.suppress(RepositoryNotFoundError):
                return client.head_manifest(repository, reference).digest == digest
        except RegistryUnreachableError:
            raise
        except RegistryError:
            continue
    return None
