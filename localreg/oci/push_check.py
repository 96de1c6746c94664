"""Ask a registry whether it takes pushes, without leaving anything in it."""

from __future__ import annotations

import hashlib
import json
from http import HTTPStatus
from urllib.parse import quote

from localreg.errors import LocalregError, RegistryUnreachableError
from localreg.oci.api import RegistryClient
from localreg.oci.manifest import EMPTY_CONFIG_TYPE, OCI_MANIFEST
from localreg.oci.refusal import PushRefusal

_UNSTORABLE = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": EMPTY_CONFIG_TYPE, "digest": f"sha256:{'0' * 64}", "size": 2},
        "layers": [],
    }
).encode()
"""A manifest that no registry stores: no content has the digest of its config."""
_DIGEST = f"sha256:{hashlib.sha256(_UNSTORABLE).hexdigest()}"


def find_push_refusal(client: RegistryClient, repository: str) -> PushRefusal | None:
    """Find out whether a registry refuses every push to a repository.

    It is asked to store a manifest whose config does not exist, by its digest, and one that takes pushes rejects that.
    To begin an upload and cancel it would leave a folder in Distribution for ever.

    Args:
        client: Of the registry.
        repository: Its name.

    Returns:
        None if it takes pushes, or refuses this one for another reason, such as a login.

    Raises:
        RegistryUnreachableError: it does not answer, or speaks TLS.
    """
    try:
        answer = client.transport.request(
            "PUT",
            f"/v2/{quote(repository)}/manifests/{_DIGEST}",
            f"`{repository}`",
            body=_UNSTORABLE,
            media_type=OCI_MANIFEST,
            expected=(HTTPStatus.METHOD_NOT_ALLOWED,),
        )
    except RegistryUnreachableError:
        raise
    except LocalregError:
        return None
    # A read-only Distribution has no route for it, and answers with plain text.
    return PushRefusal.CACHE if b"UNSUPPORTED" in answer.body else PushRefusal.READ_ONLY
