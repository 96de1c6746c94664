"""Asks the `podman` program whether it uses plain HTTP for the registry."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from localreg.clients.podman import registries_conf as conf
from localreg.system.programs import output_of

_PROGRAM_SECONDS = 30.0


def ask_podman(locations: Sequence[str]) -> Mapping[str, bool] | None:
    """Whether the `podman` program uses plain HTTP for each location; None if it cannot be asked.

    The program reads its configuration each time. A running service keeps the configuration of its start.
    """
    program = shutil.which("podman")
    if program is None:
        return None
    said = output_of(program, "info", "--format", "json", seconds=_PROGRAM_SECONDS)
    try:
        registries: dict[str, Any] = json.loads(said or "").get("registries") or {}
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
