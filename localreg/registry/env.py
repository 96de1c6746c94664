"""`env`: the variables that name a registry, for localreg and for other tools."""

from __future__ import annotations

from localreg.registry.container import Registry

NAME = "LOCALREG_NAME"
ENGINE = "LOCALREG_ENGINE"
LOCATION = "LOCALREG_LOCATION"
URL = "LOCALREG_URL"
OF_OTHERS = ("KO_DOCKER_REPO", "SKAFFOLD_DEFAULT_REPO", "FUNC_REGISTRY")
"""The variables of ko, Skaffold and Knative's func; each has the registry's part of a reference."""

VARIABLES = (NAME, ENGINE, LOCATION, URL, *OF_OTHERS)
"""Every variable, in the order of the output."""


def get_variables(registry: Registry, *, engine: str | None) -> dict[str, str]:
    """The variables of a running registry; they hold no secret.

    Args:
        registry: The one to name.
        engine: The engine that the user chose; None to leave the choice to localreg.

    Raises:
        ConflictError: it publishes no port.
        RegistryUnreachableError: this machine cannot reach it.
    """
    location = registry.get_location()
    chosen = {} if engine is None else {ENGINE: engine}
    return {
        NAME: registry.container.name,
        **chosen,
        LOCATION: location,
        URL: registry.get_url(),
        **dict.fromkeys(OF_OTHERS, location),
    }
