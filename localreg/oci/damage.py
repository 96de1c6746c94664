"""Whether a registry still has a blob as it was pushed.

A full disk can cut a file that Distribution goes on serving: it never reads a blob again to compare it with its digest,
and takes its present length for the right one. So do engines that find the blob there, and write that length into the
manifest.
"""

from __future__ import annotations

import hashlib
from http import HTTPStatus

from localreg.errors import RegistryError, RegistryUnreachableError, RepositoryNotFoundError
from localreg.oci.api import BlobPart, RegistryClient
from localreg.oci.manifest import Descriptor

_SMALLEST_GZIP = 20
_TAR_BLOCK = 512
_LENGTH_BYTES = 4
_CHUNK = 4 << 20


def find_damage(client: RegistryClient, repository: str, blob: Descriptor) -> str | None:
    """Find out what is wrong with a blob; one small request, and a whole read only if it looks cut.

    Args:
        client: A client of the registry.
        repository: Its name.
        blob: As a manifest describes it.

    Returns:
        The damage, as words to follow `it`; None if there is none, or the registry does not tell.
    """
    try:
        end = client.get_blob_part(repository, blob.digest, f"bytes=-{_LENGTH_BYTES}")
        if end is None:
            return None
        if end.size != blob.size:
            return f"has {end.size} bytes instead of {blob.size}"
        if _seems_cut(blob, end) and not _has_its_digest(client, repository, blob):
            return f"ends after {end.size} bytes"
    except RepositoryNotFoundError:
        return "is missing"
    except RegistryUnreachableError:
        raise
    except RegistryError as exc:
        # Others, such as a redirect to a store, are no damage.
        if exc.status in (None, HTTPStatus.INTERNAL_SERVER_ERROR):
            return "cannot be read"
    return None


def _seems_cut(blob: Descriptor, end: BlobPart) -> bool:
    """It is a compressed tar whose last bytes are not the length of one. They would be by chance in 1 of 512 cases."""
    if not blob.media_type.endswith("gzip"):
        return False
    return blob.size < _SMALLEST_GZIP or int.from_bytes(end.data, "little") % _TAR_BLOCK != 0


def _has_its_digest(client: RegistryClient, repository: str, blob: Descriptor) -> bool:
    algorithm, _, encoded = blob.digest.partition(":")
    content = hashlib.new(algorithm)
    for start in range(0, blob.size, _CHUNK):
        part = client.get_blob_part(repository, blob.digest, f"bytes={start}-{start + _CHUNK - 1}")
        content.update(part.data if part else b"")
    return content.hexdigest() == encoded
