"""The tools that create registries for developers, and how each one's containers are recognised."""

from __future__ import annotations

import re
from collections.abc import Callable

from localreg.engines.values import Container, HostPathMount
from localreg.registry.container import Registry

_Sign = Callable[[Container], bool]


def _label(name: str, value: str | None = None) -> _Sign:
    """A label that it has, with this value if one is given."""
    return lambda container: name in container.labels and value in (None, container.labels[name])


def _name(expression: str, *, image: str = "") -> _Sign:
    """Its name, and what the name of its image ends with."""
    return lambda container: re.fullmatch(expression, container.name) is not None and container.image.endswith(image)


def _folder(ending: str) -> _Sign:
    """A folder of the host that it has mounted."""
    return lambda container: any(
        isinstance(mount, HostPathMount) and mount.path.endswith(ending) for mount in container.mounts
    )


MAKERS: tuple[tuple[str, _Sign], ...] = (
    ("k3d", _label("k3d.role", "registry")),
    ("ctlptl", _label("dev.tilt.ctlptl.role", "registry")),
    ("minikube", _label("created_by.minikube.sigs.k8s.io", "true")),
    ("KSail", _label("io.ksail.registry")),
    ("Testcontainers", _label("org.testcontainers", "true")),
    ("kind", _name("kind-registry")),
    ("Kamal", _name(r".+-docker-registry", image="registry:3")),
    ("unregistry", _name(r"unregistry-pussh-.+")),
    ("jindr", _folder("/.jindr")),
    ("Compose", _label("com.docker.compose.project")),
    ("Compose", _label("io.podman.compose.project")),
    ("systemd", _label("PODMAN_SYSTEMD_UNIT")),
)
"""Each tool and a sign of it; the first that fits counts. kind's is the name that the script in its documentation
uses, and Kamal's begins with the name of the service; people choose such a name as well."""


def find_maker(registry: Registry) -> str | None:
    """The tool that created a registry; None for one that a person created, or an unknown tool."""
    if registry.is_ours:
        return "localreg"
    return next((maker for maker, is_of in MAKERS if is_of(registry.container)), None)
