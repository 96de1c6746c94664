"""Ask a registry whether it deletes anything, without deleting."""

from __future__ import annotations

from localreg.errors import DeleteDisabledError, LocalregError, RegistryUnreachableError
from localreg.oci.api import RegistryClient

_NO_DIGEST = f"sha256:{'0' * 64}"
"""No content has it."""


def check_deletes(client: RegistryClient, repository: str) -> None:
    """Check that deleting is not disabled in a registry.

    It is asked to delete a manifest that cannot exist. Distribution refuses that before it looks for the manifest. One
    that refuses it for another reason, such as a login, may delete others.

    Raises:
        DeleteDisabledError: deleting is disabled in the registry.
        RegistryUnreachableError: it does not answer, or speaks TLS.
    """
    try:
        client.delete_manifest(repository, _NO_DIGEST)
    except (DeleteDisabledError, RegistryUnreachableError):
        raise
    except LocalregError:
        return
