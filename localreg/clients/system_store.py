"""The CA in the certificate store of the system, which browsers, `curl` and most programs trust."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from localreg.clients.certs_d import read_text
from localreg.clients.changes import SYSTEM, make_changes
from localreg.clients.file_change import FileChange
from localreg.clients.port import Machine, Plan, Target
from localreg.errors import ConfigError
from localreg.system.command_line import Sentence
from localreg.system.programs import ProgramError, run

_SECONDS = 60.0
_OF_ROOT = ("/usr/sbin", "/sbin")


@dataclass(frozen=True, slots=True)
class _Kind:
    """How a system keeps its certificates."""

    program: str
    """It makes the bundle from all files."""
    folder: str
    """The folder for files of administrators."""
    bundle: str


_KINDS = (
    _Kind("update-ca-certificates", "usr/local/share/ca-certificates", "etc/ssl/certs/ca-certificates.crt"),
    _Kind("update-ca-trust", "etc/pki/ca-trust/source/anchors", "etc/pki/tls/certs/ca-bundle.crt"),
    _Kind("update-ca-trust", "etc/ca-certificates/trust-source/anchors", "etc/ssl/certs/ca-certificates.crt"),
    _Kind("update-ca-certificates", "etc/pki/trust/anchors", "etc/ssl/ca-bundle.pem"),
)
"""Debian and Ubuntu, Fedora, Arch, openSUSE: the first whose folder exists counts."""
_KEYCHAIN = "/Library/Keychains/System.keychain"


class SystemStore:
    """The store of this system."""

    name = SYSTEM

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def is_here(self) -> bool:
        """Whether localreg knows the store of this system."""
        return sys.platform == "darwin" or self._kind() is not None

    def plan(self, target: Target) -> Plan:
        """Plan one file with the certificate of the CA.

        Raises:
            ConfigError: the store of this system is not known.
        """
        path = self._path(target.name)
        after = target.ca.encode() if target.locations and target.ca else None
        change = FileChange(path, read_text(path), after)
        return Plan(self.name, target, changes=(change,) if change.changes else (), files=(path,) if after else ())

    def apply(self, plan: Plan) -> None:
        """Make the change, and have the store read it."""
        kind = self._kind()
        if kind is None:
            self._apply_on_macos(plan)
            return
        make_changes(plan)
        found = self._has(plan.target.ca)
        # A run that was killed may have changed the file alone. If that cannot be known, it does no harm to root.
        if plan.changes or (os.geteuid() == 0 if found is None else found is not bool(plan.files)):
            _run(_find(kind.program) or kind.program)

    def check(self, locations: Sequence[str], *, ca: str | None = None) -> Mapping[str, str | None] | None:
        """Look for the certificate in the bundle that programs read."""
        found = self._has(ca)
        if found is None:
            return None
        return {place: None if found else f"does not trust the certificate of {place}" for place in locations}

    def _kind(self) -> _Kind | None:
        root = self._machine.root
        return next((kind for kind in _KINDS if (root / kind.folder).is_dir() and _find(kind.program)), None)

    def _path(self, name: str) -> Path:
        kind = self._kind()
        if kind is not None:
            return self._machine.root / kind.folder / f"localreg-{name}.crt"
        if sys.platform == "darwin":
            # The keychain has no files; this one tells which certificate localreg put into it.
            return Path("/Library/Application Support/localreg", f"{name}.crt")
        raise ConfigError(
            "localreg does not know the certificate store of this system",
            hint=Sentence("add the certificate of the CA to it by hand"),
        )

    def _has(self, ca: str | None) -> bool | None:
        """Whether the bundle has a certificate; None if that cannot be known."""
        kind = self._kind()
        if kind is None or ca is None:
            return None
        return "".join(ca.split()).encode() in b"".join((read_text(self._machine.root / kind.bundle) or b"").split())

    def _apply_on_macos(self, plan: Plan) -> None:
        for change in plan.changes:
            if change.after is not None:
                make_changes(plan)
                _run("security", "add-trusted-cert", "-d", "-r", "trustRoot", "-k", _KEYCHAIN, str(change.path))
            else:
                _run("security", "remove-trusted-cert", "-d", str(change.path))
                make_changes(plan)


def _find(program: str) -> str | None:
    """The path of a program; those of root are not on the PATH of all users."""
    return shutil.which(program, path=os.pathsep.join([os.environ.get("PATH", os.defpath), *_OF_ROOT]))


def _run(program: str, *arguments: str) -> None:
    try:
        ended = run(program, *arguments, seconds=_SECONDS)
        said = None if ended.code == 0 else ended.err or f"exit code {ended.code}"
    except ProgramError as exc:
        said = str(exc)
    if said is not None:
        raise ConfigError(f"`{program}` failed", hint=Sentence("run it as root"), details=said.strip().splitlines())
