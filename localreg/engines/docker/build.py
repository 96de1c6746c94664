"""The program that builds for Docker."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path

from localreg.engines.build import ASK_SECONDS, NAMING, Builder, RegistryLogin, without
from localreg.engines.common.lent_login import read_configuration, write_with_login
from localreg.engines.values import EngineInfo
from localreg.errors import BuilderMissingError
from localreg.system.command_line import Sentence
from localreg.system.packages import install_command
from localreg.system.programs import output_of

_FIRST_WITHOUT_BUILDKIT = 23
"""The first release of the `docker` program without its own BuildKit; it needs the plugin buildx."""
_BUILDX = "docker buildx"
_CONFIG = "config.json"
_DOCKER_PACKAGES = ("docker-ce-cli", "docker-cli", "docker.io")
_DOCKER_HINT = Sentence("install Docker's command line: https://docs.docker.com/engine/install/")
_BUILDX_PACKAGES = ("docker-buildx-plugin", "docker-buildx")
_FOR_ADDRESSES = frozenset({"DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"})


def find_builder(info: EngineInfo, environ: Mapping[str, str], folder: Path | None) -> Builder:
    """The builder of a Docker daemon: `docker buildx`, or an old `docker` program with BuildKit.

    Args:
        info: The daemon's.
        environ: The environment.
        folder: Of the configuration of Docker's program, which may not exist; None for a user without a home.

    Raises:
        BuilderMissingError: no builder is installed; the hint tells which package to install.
    """
    program = shutil.which("docker", path=environ.get("PATH"))
    if program is None:
        raise BuilderMissingError(
            "building needs the `docker` program, which is not installed",
            hint=install_command(*_DOCKER_PACKAGES) or _DOCKER_HINT,
        )
    # The variables for TLS apply only to an address, not to a context or a socket.
    is_address = info.context is None and not info.endpoint.startswith("unix://")
    environment = without(environ, NAMING if is_address else NAMING | _FOR_ADDRESSES)
    place = ("--context", info.context) if info.context else ("--host", info.endpoint)
    name = _name_of_builder(program, environment)
    if name is None:
        raise _no_builder(program, environment)
    if name == _BUILDX:
        # Without --load, a builder in its own container would keep the image to itself.
        command: tuple[str, ...] = ("buildx", "build", "--load")
    else:
        command = ("build",)
        environment["DOCKER_BUILDKIT"] = "1"
    return Builder(
        name,
        (program, *place, *command),
        environment,
        recipes=("Dockerfile", "dockerfile"),
        # One from a snap has another /run and another /tmp.
        lend_login=None if program.startswith("/snap/") else lambda new, login: _lend_login(folder, new, login),
    )


def _lend_login(usual: Path | None, new: Path, login: RegistryLogin) -> Mapping[str, str]:
    """Make a folder like the usual one: with its plugins, contexts and builders, and one login more."""
    if usual is not None and usual.is_dir():
        for path in usual.iterdir():
            if path.name != _CONFIG:
                (new / path.name).symlink_to(path.absolute())
    content = {} if usual is None else read_configuration(usual / _CONFIG)
    write_with_login(new / _CONFIG, content, login.location, login.credentials)
    return {"DOCKER_CONFIG": str(new)}


def _name_of_builder(program: str, environ: Mapping[str, str]) -> str | None:
    """The builder of a `docker` program; None if it cannot build for Docker."""
    version = _version(program, environ)
    if version is None:
        # Podman also claims to have buildx.
        return None
    if output_of(program, "buildx", "version", seconds=ASK_SECONDS, environ=environ) is not None:
        return _BUILDX
    major = re.match(r"\d+", version)
    return "docker build" if major and int(major[0]) < _FIRST_WITHOUT_BUILDKIT else None


def _version(program: str, environ: Mapping[str, str]) -> str | None:
    """The release of Docker's program; None for Podman's, which calls itself `docker` if started as that."""
    found = re.match(
        r"Docker version (\S+)", output_of(program, "--version", seconds=ASK_SECONDS, environ=environ) or ""
    )
    return found[1] if found else None


def _no_builder(program: str, environ: Mapping[str, str]) -> BuilderMissingError:
    folders = (
        folder
        for folder in environ.get("PATH", "").split(os.pathsep)
        if (other := shutil.which("docker", path=folder)) and _name_of_builder(other, environ)
    )
    capable = next(folders, None)
    instead = f"export PATH={shlex.quote(capable)}:$PATH" if capable else None
    if _version(program, environ) is None:
        return BuilderMissingError(
            f"`{program}` is not Docker's program, perhaps Podman's; it cannot build for a registry on Docker",
            hint=instead or install_command(*_DOCKER_PACKAGES) or _DOCKER_HINT,
        )
    return BuilderMissingError(
        f"`{program}` needs its plugin buildx to build, which is not installed",
        hint=install_command(*_BUILDX_PACKAGES)
        or instead
        or Sentence("install one of these packages, or see https://docs.docker.com/go/buildx/"),
        details=[
            "docker-buildx in Debian's and Ubuntu's packages",
            "docker-buildx-plugin in Docker's packages",
            *([f"`{Path(capable) / 'docker'}` can build"] if capable else []),
        ],
    )
