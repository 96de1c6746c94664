"""Asks BuildKit itself whether it can use the registry: a running `buildkitd`, and localreg's builder if it runs."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from localreg.clients.answers import NOT_THERE, SilentRegistryError, find_refusal
from localreg.clients.buildkit.builders import NAME, find_docker
from localreg.clients.port import Machine
from localreg.system.programs import ProgramError, output_of, run

_PROGRAM_SECONDS = 60.0


def ask_buildkit(machine: Machine, locations: Sequence[str]) -> Mapping[str, str | None] | None:
    """Have it build from an image that the registry does not have, over each of its locations.

    It does not start a builder: the first start pulls BuildKit's image.

    Returns:
        As `Client.check`.
    """
    found: dict[str, str | None] = {}
    asked = list(_list_programs(machine))
    try:
        for location in locations if asked else ():
            refusals = [f"cannot use {location} {where}: {why}" for where, why in _ask(asked, location, machine) if why]
            found[location] = refusals[0] if refusals else None
    except (ProgramError, SilentRegistryError):
        return None
    return found or None


def _ask(
    programs: Sequence[tuple[str, tuple[str, ...]]], location: str, machine: Machine
) -> Iterator[tuple[str, str | None]]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "Dockerfile").write_text(f"FROM {location}/{NOT_THERE}\n", encoding="utf-8")
        for where, words in programs:
            words_there = [word.format(folder=folder) for word in words]
            ended = run(*words_there, seconds=_PROGRAM_SECONDS, environ=machine.environ)
            yield where, find_refusal(ended.err)


def _list_programs(machine: Machine) -> Iterator[tuple[str, tuple[str, ...]]]:
    """How each BuildKit is named, and the command that builds with it; `{folder}` is the folder of the Dockerfile."""
    buildctl = shutil.which("buildctl", path=machine.environ.get("PATH", os.defpath))
    if buildctl and output_of(buildctl, "debug", "workers", seconds=_PROGRAM_SECONDS, environ=machine.environ):
        local = ("--local", "context={folder}", "--local", "dockerfile={folder}")
        yield "in buildkitd", (buildctl, "build", "--progress", "plain", "--frontend", "dockerfile.v0", *local)
    docker = find_docker(machine)
    about = docker and output_of(docker, "buildx", "inspect", NAME, seconds=_PROGRAM_SECONDS, environ=machine.environ)
    if docker and about and any(line.split() == ["Status:", "running"] for line in about.splitlines()):
        yield (
            f"in the builder {NAME}",
            (docker, "buildx", "build", "--builder", NAME, "--progress", "plain", "{folder}"),
        )
