"""The endpoints to try: those in the environment, otherwise the usual ones."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence

from localreg.engines.discovery.connections import named_podman
from localreg.engines.discovery.contexts import context_endpoint, current_context, variable_endpoint
from localreg.engines.values import Endpoint, EngineName


def named_endpoints(wanted: Sequence[EngineName], environ: Mapping[str, str]) -> list[tuple[str, EngineName, Endpoint]]:
    """The variables that select an engine, and its endpoint.

    Raises:
        BrokenConnectionError: a variable of Podman names no Podman.
    """
    found: list[tuple[str, EngineName, Endpoint]] = []
    if "podman" in wanted and (podman := named_podman(environ)):
        found.append((podman[0], "podman", podman[1]))
    if "docker" in wanted and (url := environ.get("DOCKER_HOST")):
        found.append(("DOCKER_HOST", "docker", variable_endpoint(url, environ)))
    return found


def usual_docker_endpoints(environ: Mapping[str, str]) -> list[Endpoint]:
    """The current context's endpoint, then the usual sockets that exist.

    Raises:
        BrokenContextError: the current context cannot be used.
    """
    context = current_context(environ)
    endpoints = [context_endpoint(context, environ)] if context else []
    home, runtime = environ.get("HOME"), environ.get("XDG_RUNTIME_DIR")
    usual = [
        "/var/run/docker.sock",
        f"{runtime}/docker.sock" if runtime else None,
        f"{home}/.docker/run/docker.sock" if home else None,
        f"{home}/.docker/desktop/docker.sock" if home else None,
    ]
    sockets = _existing(path for path in (*(endpoint.socket for endpoint in endpoints), *usual) if path)
    return endpoints + [Endpoint(f"unix://{path}") for path in sockets if path not in (e.socket for e in endpoints)]


def usual_podman_sockets(environ: Mapping[str, str]) -> list[str]:
    """The socket of Podman's own service, if it exists."""
    runtime = environ.get("XDG_RUNTIME_DIR")
    usual = ["/run/podman/podman.sock"] if os.getuid() == 0 else [f"{runtime}/podman/podman.sock"] if runtime else []
    return _existing(usual)


def _existing(paths: Iterable[str]) -> list[str]:
    """The paths that exist; a socket and a link to it count once."""
    seen: dict[str, str] = {}
    for path in paths:
        if os.path.lexists(path):
            seen.setdefault(os.path.realpath(path), path)
    return list(seen.values())
