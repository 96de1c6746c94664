"""The CA of a registry for Podman, Buildah and Skopeo.

Of the folders for one registry they read only the first that exists, and of that folder only `*.crt`. See
containers-certs.d(5).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from localreg.clients.certs_d import Wanted, ca_file, is_ours, plan_files, read_text
from localreg.clients.file_change import FileChange, may_read
from localreg.clients.podman.search import user_folder
from localreg.clients.port import Machine

_CLIENT = "podman"
_FOLDER = "certs.d"


@dataclass(frozen=True, slots=True)
class Certificates:
    """Files of Podman's."""

    changes: Sequence[FileChange]
    files: Sequence[Path]
    """localreg's, after the changes."""
    provided: dict[str, str]
    """The registries that it trusts because of a file of others, and the file."""


def plan_certificates(
    machine: Machine, name: str, locations: Sequence[str], ca: str | None, *, release: int
) -> Certificates:
    """Plan the changes after which Podman trusts these registries, and no other of localreg's for this registry.

    Args:
        machine: The machine.
        name: The registry's.
        locations: Each `HOST:PORT`; empty to take back all.
        ca: The certificates of the CA in PEM; None for registries without TLS.
        release: The first number of Podman's version.

    Raises:
        ConfigError: a file cannot be read.
    """
    folders = _list_folders(machine, release)
    wanted, provided = [], {}
    for place in locations if ca is not None else ():
        # A further folder would hide the one that exists, with the certificates in it.
        found = next((folder for folder in folders if (folder / place).is_dir()), None)
        chosen = (found or (machine.etc / "containers" / _FOLDER if os.geteuid() == 0 else folders[0])) / place
        if (file := _find_others(chosen, ca or "")) is not None:
            provided[place] = str(file)
        else:
            wanted.append(Wanted(chosen / ca_file(_CLIENT), ca or ""))
    changes = plan_files(_CLIENT, name, folders, wanted)
    return Certificates(changes, [each.path for each in wanted], provided)


def _list_folders(machine: Machine, release: int) -> list[Path]:
    """Each `certs.d`, in the order in which Podman looks for a registry's folder.

    Like Podman, without one that this user may not read.
    """
    user = user_folder(machine.environ, release=release)
    system = [machine.etc / "containers", machine.etc / "docker"]
    return list(filter(may_read, (folder / _FOLDER for folder in ([user] if user else []) + system)))


def _find_others(folder: Path, ca: str) -> Path | None:
    """A file of others with these certificates."""
    for path in sorted(folder.glob("*.crt")):
        data = read_text(path) or b""
        if ca.strip().encode() in data and not is_ours(data):
            return path
    return None
