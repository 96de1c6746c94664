"""The builder of the selected engine."""

from __future__ import annotations

import os
from collections.abc import Mapping

from localreg.engines.build import Builder
from localreg.engines.discovery.contexts import docker_folder
from localreg.engines.discovery.endpoints import usual_podman_sockets
from localreg.engines.values import EngineInfo


def find_builder(info: EngineInfo, *, environ: Mapping[str, str] | None = None) -> Builder:
    """The builder of an engine.

    Args:
        info: The engine's.
        environ: The environment; by default the process's.

    Raises:
        BuilderMissingError: no builder is installed; the hint tells which package to install.
    """
    environ = os.environ if environ is None else environ
    if info.name == "docker":
        from localreg.engines.docker import build as docker  # noqa: PLC0415 -- one of the two is enough

        return docker.find_builder(info, environ, docker_folder(environ))
    from localreg.engines.podman import build as podman  # noqa: PLC0415

    return podman.find_builder(info, environ, usual_podman_sockets(environ))
