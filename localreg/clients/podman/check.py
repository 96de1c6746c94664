"""Asks the `podman` program whether it uses plain HTTP for the registry. Its answer decides; files only explain it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from localreg.clients.podman import registries_conf as conf
from localreg.clients.podman.search import OLD
from localreg.errors import ConfigError
from localreg.system.programs import ProgramError, output_of, run

_PROGRAM_SECONDS = 30.0
_ABOUT_REGISTRIES = re.compile(r"registries\.conf|registries configuration|\bregistry '")


def ask_podman(locations: Sequence[str]) -> Mapping[str, bool] | None:
    """Whether the `podman` program uses plain HTTP for each location; None if it cannot be asked.

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
        registries: dict[str, Any] = json.loads(ended.out).get("registries") or {}
    except (ValueError, AttributeError):
        return None
    entries = [
        conf.Entry(
            str(found.get("Prefix") or prefix), found.get("Insecure") is True, Path(), found.get("Blocked") is True
        )
        for prefix, found in registries.items()
        if isinstance(found, dict)
    ]
    return {location: conf.find_permitting(entries, location) is not None for location in locations}


def podman_release() -> int:
    """The first number of the version of the `podman` program, whose rules say which files it reads."""
    said = output_of("podman", "--version", seconds=_PROGRAM_SECONDS) or ""
    found = re.search(r"\b(\d+)\.\d+", said)
    return int(found[1]) if found else OLD


def _check_reason(said: str) -> None:
    reason = next((line for line in said.splitlines() if _ABOUT_REGISTRIES.search(line)), None)
    if reason is not None:
        raise ConfigError(
            "podman cannot read its configuration of registries, so every push and pull with it fails",
            hint="fix the file that podman names",
            details=[reason],
        )
