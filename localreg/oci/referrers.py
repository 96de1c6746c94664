"""Ask a registry for the manifests about another one, by the referrers API of the distribution specification 1.1.

Distribution does not have it: its clients keep an index under a tag instead.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote

from localreg.errors import RegistryError, RegistryUnreachableError, RepositoryNotFoundError
from localreg.oci.api import REQUEST_SECONDS
from localreg.oci.manifest import OCI_INDEX, Descriptor, Index, parse_manifest
from localreg.oci.transport import Transport

_LARGEST = 4 << 20


def list_referrers(base_url: str, repository: str, subjects: Iterable[str]) -> dict[str, tuple[Descriptor, ...]]:
    """The manifests about others, by the digest of that one.

    Args:
        base_url: `http://host:port`.
        repository: Its name.
        subjects: The digests to ask for. A registry without the API is asked for the first one only.

    Raises:
        RegistryUnreachableError: it does not answer, or speaks TLS.
    """
    found: dict[str, tuple[Descriptor, ...]] = {}
    transport = Transport(base_url, timeout=REQUEST_SECONDS, connections=1)
    try:
        for subject in subjects:
            path = f"/v2/{quote(repository)}/referrers/{quote(subject, safe=':')}"
            what = f"the referrers of `{repository}@{subject}`"
            answer = transport.request("GET", path, what, limit=_LARGEST, accept=OCI_INDEX)
            index = parse_manifest(answer.body, OCI_INDEX)
            found[subject] = index.manifests if isinstance(index, Index) else ()
    except RegistryUnreachableError:
        raise
    except (RegistryError, RepositoryNotFoundError):
        # Without the API, most registries answer 404, and some something that is not an index.
        return found
    finally:
        transport.close()
    return found
