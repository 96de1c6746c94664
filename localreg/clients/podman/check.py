"""Asks the `podman` program whether it uses plain HTTP for the registry. Its answer decides; files only explain it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localreg.clients.podman import registries_conf as conf
from localreg.clients.podman.search import OLD
from localreg.errors import ConfigError
from localreg.system.command_line import Sentence
from localreg.system.programs import ProgramError, output_of, run

_PROGRAM_SECONDS = 30.0
_ABOUT_REGISTRIES = re.compile(r"registries\.conf|registries configuration|\bregistry '")


@dataclass(frozen=True, slots=True)
class Said:
    """The answer of the `podman` program."""

    release: int
    """The first number of its version."""
    obstacles: Mapping[str, str | None]
    """By location, how its configuration keeps it from using plain HTTP; None if it uses that."""

    @property
    def allows(self) -> dict[str, bool]:
        """Whether it uses plain HTTP, by location."""
        return {location: obstacle is None for location, obstacle in self.obstacles.items()}


def ask_podman(locations: Sequence[str]) -> Said | None:
    """Ask the `podman` program whether it uses plain HTTP for each location; None if it cannot be asked.

    The program reads its configuration each time. A running service keeps the configuration of its start.

    Raises:
        ConfigError: Podman cannot read its configuration of registries.
    """
    program = shutil.which("podman")
    if program is None:
        return None
    try:
        ended = run(program, "info", "--format", "json", seconds=_PROGRAM_SECONDS)
    except ProgramError:
        return None
    if ended.code != 0:
        _check_reason(ended.err)
        return None
    try:
        found = json.loads(ended.out)
        registries: dict[str, Any] = found.get("registries") or {}
        release = _release_in(str((found.get("version") or {}).get("Version")))
    except (ValueError, AttributeError):
        return None
    entries = [_entry(prefix, entry) for prefix, entry in registries.items() if isinstance(entry, dict)]
    return Said(release, {location: _obstacle(entries, location) for location in locations})


def _entry(prefix: str, about: Mapping[str, Any]) -> conf.Entry:
    return conf.Entry(
        str(about.get("Prefix") or prefix),
        about.get("Insecure") is True,
        Path(),
        blocked=about.get("Blocked") is True,
        location=str(about.get("Location") or ""),
    )


def _obstacle(entries: Sequence[conf.Entry], location: str) -> str | None:
    effective = conf.find_effective(entries, location)
    forbidden = f"forbids plain HTTP for {location}" if effective is None else effective.find_obstacle(location)
    return forbidden and forbidden.replace("forbids", "refuses")


def podman_release() -> int:
    """The first number of the version of the `podman` program, whose rules say which files it reads."""
    return _release_in(output_of("podman", "--version", seconds=_PROGRAM_SECONDS) or "")


def _release_in(text: str) -> int:
    found = re.search(r"\b(\d+)\.\d+", text)
    return int(found[1]) if found else OLD


def _check_reason(said: str) -> None:
    reason = next((line for line in said.splitlines() if _ABOUT_REGISTRIES.search(line)), None)
    if reason is not None:
        raise ConfigError(
            "podman cannot read its configuration of registries, so every push and pull with it fails",
            hint=Sentence("fix the file that podman names"),
            details=[reason],
        )
