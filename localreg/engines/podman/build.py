"""The program that builds for Podman."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence

from localreg.engines.build import NAMING, Builder, without
from localreg.engines.values import EngineInfo
from localreg.errors import BuilderMissingError
from localreg.system.packages import install_command


def find_builder(info: EngineInfo, environ: Mapping[str, str], usual_sockets: Sequence[str]) -> Builder:
    """The builder of a Podman service: the `podman` program.

    Args:
        info: The service's.
        environ: The environment.
        usual_sockets: Where the program's own service listens.

    Raises:
        BuilderMissingError: there is none; with the package to install.
    """
    program = shutil.which("podman", path=environ.get("PATH"))
    if program is None:
        raise BuilderMissingError(
            "there is no `podman` program to build with", hint=install_command("podman") or "install Podman"
        )
    place = () if _is_own(info, usual_sockets) else ("--remote", "--url", info.endpoint)
    return Builder(
        "podman build",
        (program, *place, "build"),
        without(environ, NAMING),
        recipes=("Containerfile", "Dockerfile"),
        # A service opens the agent's socket, or the key, itself.
        takes_ssh=sys.platform == "linux" and not info.remote,
    )


def _is_own(info: EngineInfo, usual_sockets: Sequence[str]) -> bool:
    """The service has the same store as the program when this user runs it."""
    if sys.platform != "linux" or info.remote:
        return False
    usual = {os.path.realpath(path) for path in usual_sockets}
    return info.private or os.path.realpath(info.endpoint.removeprefix("unix://")) in usual
