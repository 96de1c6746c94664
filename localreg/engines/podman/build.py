"""The program that builds for Podman."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from localreg.engines.build import NAMING, Builder, RegistryLogin, without
from localreg.engines.common.lent_login import merged_logins, write_with_login
from localreg.engines.values import EngineInfo
from localreg.errors import BuilderMissingError
from localreg.oci.credentials import store_files
from localreg.system.command_line import Sentence
from localreg.system.packages import install_command

_AUTH_FILE = "REGISTRY_AUTH_FILE"


def find_builder(info: EngineInfo, environ: Mapping[str, str], usual_sockets: Sequence[str]) -> Builder:
    """The builder of a Podman service: the `podman` program.

    Args:
        info: The service's.
        environ: The environment.
        usual_sockets: The sockets of Podman's own service.

    Raises:
        BuilderMissingError: Podman's program is not installed; the hint tells which package to install.
    """
    program = shutil.which("podman", path=environ.get("PATH"))
    if program is None:
        raise BuilderMissingError(
            "building needs the `podman` program, which is not installed",
            hint=install_command("podman") or Sentence("install Podman"),
        )
    address = ("--connection", info.context) if info.context else ("--url", info.endpoint)
    place = () if _is_own(info, usual_sockets) else ("--remote", *address)
    return Builder(
        "podman build",
        (program, *place, "build"),
        without(environ, NAMING),
        recipes=("Containerfile", "Dockerfile"),
        # A remote service would open the agent's socket, or the key, on its own machine.
        takes_ssh=sys.platform == "linux" and not info.remote,
        reports_id=True,
        lend_login=lambda folder, login: _lend_login(environ, folder, login),
    )


def _lend_login(environ: Mapping[str, str], folder: Path, login: RegistryLogin) -> Mapping[str, str]:
    """Write the one file that Podman reads then, instead of those that it would look for."""
    file, named = folder / "auth.json", environ.get(_AUTH_FILE)
    others = [Path(named)] if named else store_files(environ, own=False)
    write_with_login(file, merged_logins(others), login.location, login.credentials)
    return {_AUTH_FILE: str(file)}


def _is_own(info: EngineInfo, usual_sockets: Sequence[str]) -> bool:
    """Whether the service uses the same image store as this user's `podman` program."""
    if sys.platform != "linux" or info.remote:
        return False
    usual = {os.path.realpath(path) for path in usual_sockets}
    return info.private or os.path.realpath(info.endpoint.removeprefix("unix://")) in usual
