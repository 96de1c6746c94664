"""Asks containerd itself whether it can use the registry: its CRI by `crictl`, or else `ctr`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from localreg.clients.answers import NOT_THERE, SilentRegistryError, find_refusal
from localreg.clients.containerd.search import Search, find_program
from localreg.clients.port import Machine
from localreg.system.programs import ProgramError, run

_PROGRAM_SECONDS = 30.0
_SOCKET = "run/containerd/containerd.sock"


def ask_containerd(machine: Machine, search: Search, locations: Sequence[str]) -> Mapping[str, str | None] | None:
    """Have it resolve an image that the registry does not have, over each of its locations.

    `ctr` does what containerd does, in the same release and with the same folders, and needs no daemon.

    Returns:
        As `Client.check`.
    """
    found: dict[str, str | None] = {}
    try:
        for location in locations:
            question = _question(machine, search, location)
            if question is None:
                return None
            ended = run(*question, seconds=_PROGRAM_SECONDS, environ=machine.environ)
            refusal = find_refusal(ended.err + ended.out)
            found[location] = refusal and f"cannot use {location}: {refusal}"
    except (ProgramError, SilentRegistryError):
        return None
    return found


def _question(machine: Machine, search: Search, location: str) -> tuple[str, ...] | None:
    reference = f"{location}/{NOT_THERE}"
    socket = machine.root / _SOCKET
    crictl = find_program(machine, "crictl")
    if crictl is not None and search.has_cri and os.access(socket, os.W_OK):
        return (
            crictl,
            "--runtime-endpoint",
            f"unix://{socket}",
            "--image-endpoint",
            f"unix://{socket}",
            "pull",
            reference,
        )
    ctr = find_program(machine, "ctr")
    if ctr is None:
        return None
    folder = search.find_folder(location)
    root = search.roots[0] if folder is None else folder.parent
    return ctr, "content", "fetch-object", "--hosts-dir", str(root), reference
