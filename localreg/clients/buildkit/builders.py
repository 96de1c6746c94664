"""The builders of `docker buildx` that are containers, each with a `localhost` of its own.

One on the host's network reaches a registry by the same name as Docker does. localreg makes such a builder of its own,
and changes no other.
"""

from __future__ import annotations

import base64
import json
import os
import shlex
import shutil
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localreg.clients.port import Machine
from localreg.errors import ConfigError
from localreg.system.programs import ProgramError, output_of, run

NAME = "localreg"
"""Of localreg's own builder."""

_PROGRAM_SECONDS = 60.0
_DRIVER = "docker-container"
_CERTIFICATES = "/etc/buildkit/"
"""Where buildx copies its files to."""


@dataclass(frozen=True, slots=True)
class Builder:
    """A builder that is a container."""

    name: str
    on_host: bool
    """All of its nodes are on their host's network."""
    registries: Mapping[str, Mapping[str, Any]]
    """The tables of its configuration, with certificates instead of paths."""


def list_builders(machine: Machine) -> list[Builder]:
    """List the builders of the user, as `docker buildx` keeps them."""
    folder = _folder(machine)
    found = []
    for path in sorted(folder.iterdir()) if folder is not None and folder.is_dir() else ():
        try:
            builder: dict[str, Any] = json.loads(path.read_bytes())
            if builder.get("Driver") == _DRIVER:
                found.append(_read_builder(builder))
        except (OSError, ValueError, TypeError, AttributeError, KeyError):
            # A format that localreg does not know says nothing about other builders.
            continue
    return found


def _read_builder(found: Mapping[str, Any]) -> Builder:
    nodes: Sequence[dict[str, Any]] = found["Nodes"]
    on_host = all((node.get("DriverOpts") or {}).get("network") == "host" for node in nodes)
    return Builder(str(found["Name"]), on_host, _read_registries(nodes[0].get("Files") or {}))


def _read_registries(files: Mapping[str, str]) -> Mapping[str, Mapping[str, Any]]:
    """The registries of a node, from the files that buildx copies into its container."""
    content = {name: base64.b64decode(data).decode() for name, data in files.items()}
    registries: dict[str, dict[str, Any]] = tomllib.loads(content.get("buildkitd.toml", "")).get("registry", {})
    for table in registries.values():
        if "ca" in table:
            table["ca"] = [content.get(str(path).removeprefix(_CERTIFICATES), "") for path in table["ca"]]
    return registries


def registries_of(text: str) -> Mapping[str, Mapping[str, Any]]:
    """The registries of a configuration that a builder is made with, in the form of `Builder.registries`."""
    registries: dict[str, dict[str, Any]] = tomllib.loads(text).get("registry", {})
    for table in registries.values():
        if "ca" in table:
            table["ca"] = [Path(path).read_text(encoding="utf-8") for path in table["ca"]]
    return registries


def create_words(config: Path | None, *, name: str = NAME) -> list[str]:
    """The words of the command that makes a builder from which the registry can be reached."""
    words = ["docker", "buildx", "create", "--name", name, "--driver", _DRIVER, "--driver-opt", "network=host"]
    return [*words, *(["--config", str(config)] if config is not None else [])]


def create_builder(machine: Machine, config: Path) -> None:
    """Make localreg's builder; its container starts with its first build.

    Raises:
        ConfigError: `docker buildx` refuses it.
    """
    _run(machine, create_words(config))


def remove_builder(machine: Machine, *, keep_cache: bool) -> None:
    """Remove localreg's builder.

    Args:
        machine: The builder's.
        keep_cache: A builder that is made with the same name has the cache of this one.

    Raises:
        ConfigError: `docker buildx` refuses it.
    """
    _run(machine, ["docker", "buildx", "rm", "--force", *(["--keep-state"] if keep_cache else []), NAME])


def has_buildx(machine: Machine) -> bool:
    """Ask Docker whether it has `buildx`."""
    docker = find_docker(machine)
    return docker is not None and output_of(docker, "buildx", "version", seconds=_PROGRAM_SECONDS) is not None


def find_docker(machine: Machine) -> str | None:
    """The path of the `docker` program."""
    return shutil.which("docker", path=machine.environ.get("PATH", os.defpath))


def _run(machine: Machine, words: Sequence[str]) -> None:
    try:
        ended = run(find_docker(machine) or words[0], *words[1:], seconds=_PROGRAM_SECONDS, environ=machine.environ)
        said = "" if ended.code == 0 else ended.err or f"exit code {ended.code}"
    except ProgramError as exc:
        said = str(exc)
    if said:
        verb = words[2]
        raise ConfigError(
            f"docker buildx cannot {'remove' if verb == 'rm' else 'create'} the builder `{NAME}`",
            hint=shlex.join(words),
            details=said.splitlines(),
        )


def _folder(machine: Machine) -> Path | None:
    """The folder with a file for each builder."""
    environ = machine.environ
    if environ.get("BUILDX_CONFIG"):
        return Path(environ["BUILDX_CONFIG"], "instances")
    if environ.get("DOCKER_CONFIG"):
        return Path(environ["DOCKER_CONFIG"], "buildx/instances")
    return None if machine.home is None else machine.home / ".docker/buildx/instances"
