"""Whether a registry that localreg did not create takes pushes: asked before anything is transferred.

Docker 20.10 tries for 50 seconds before it says that a cache takes none.
"""

from __future__ import annotations

from localreg.errors import RegistryError
from localreg.oci.push_check import find_push_refusal
from localreg.registry.client import open_registry
from localreg.registry.container import Registry
from localreg.registry.refusals import why
from localreg.system.command_line import CommandLine


def check_takes_pushes(registry: Registry, *repositories: str) -> None:
    """Check that pushes can succeed. A registry of localreg is not asked, and none that this machine cannot reach.

    Args:
        registry: To push to.
        repositories: Their names.

    Raises:
        RegistryError: it is read-only, or a cache of another registry.
        RegistryUnreachableError: it does not answer, or speaks TLS.
    """
    if registry.is_ours or registry.url is None:
        return
    with open_registry(registry) as client:
        for repository in repositories:
            refusal = find_push_refusal(client, repository)
            if refusal is not None:
                raise RegistryError(
                    f"registry `{registry.container.name}` takes no pushes: it is {why(refusal, registry)}",
                    hint=CommandLine("--name", "OTHER", "up"),
                )
