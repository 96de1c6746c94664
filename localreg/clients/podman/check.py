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
from localreg.system.programs import ProgramError, output_of, run

_PROGRAM_SECONDS = 30.0
_ABOUT_REGISTRIES = re.compile(r"registries\.conf|registries configuration|\bregistry '")


@dataclass(frozen=True, slots=True)
class Said:
    """What the `podman` program says."""

    release: int
    """The first number of its version."""
    allows: Mapping[str, bool]
    """Whether it uses plain HTTP, by location."""


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
    entries = [
        conf.Entry(
            str(entry.get("Prefix") or prefix), entry.get("Insecure") is True, Path(), entry.get("Blocked") is True
        )
        for prefix, entry in registries.items()
        if isinstance(entry, dict)
    ]
    allows = {location: conf.find_permitting(entries, location) is not None for location in locations}
    return Said(release, allows)


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
            hint="fix the file that podman names",
            details=[reason],
        )
