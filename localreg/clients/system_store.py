"""The CA in the certificate store of the system, which browsers, `curl` and most programs trust.

Each user has an authority, and registries of one name, so the name of a file has both. An older file has the name of
the registry alone; its content tells whose it is.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import ssl
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from localreg.clients.certs_d import read_text
from localreg.clients.changes import SYSTEM, make_changes, words_of
from localreg.clients.file_change import FileChange
from localreg.clients.port import Machine, Plan, Target
from localreg.errors import ConfigError, ConflictError
from localreg.system.command_line import Sentence, as_root
from localreg.system.programs import ProgramError, run

_SECONDS = 60.0
_DIGITS = 8
"""Of a CA, in the name of a file."""
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
        """Plan one file with the certificate of the CA, or that it goes.

        Raises:
            ConfigError: the store of this system is not known.
            ConflictError: it has files of several CAs for the registry, and the target does not say which one goes.
        """
        found = dict(self._find(target.name))
        if not target.locations:
            return self._plan_removal(target, found)
        if target.ca is None:
            return Plan(self.name, target)
        ca = target.ca.encode()
        wanted = _authority_in(ca)
        path = next((path for path, data in found.items() if _authority_in(data) == wanted), None)
        path = path or self._path(target.name, wanted)
        change = FileChange(path, read_text(path), ca)
        return Plan(self.name, target, changes=(change,) if change.changes else (), files=(path,))

    def _plan_removal(self, target: Target, found: Mapping[Path, bytes]) -> Plan:
        """Plan that the files of the target's CA go; the only one if it has none, as root knows of no user's."""
        wanted = None if target.ca is None else _authority_in(target.ca.encode())
        gone = {path: data for path, data in found.items() if wanted in (None, _authority_in(data))}
        if target.ca is None and len(set(map(_authority_in, gone.values()))) > 1:
            raise ConflictError(
                f"the system trusts several CAs for registry `{target.name}`",
                hint=_removal(target, next(iter(gone))),
                details=list(map(str, gone)),
            )
        notes = [
            f"the system also trusts `{path}`, which another user may need; `{_removal(target, path)}` removes it"
            for path in found
            if path not in gone
        ]
        changes = tuple(FileChange(path, data, None) for path, data in gone.items())
        return Plan(self.name, target, changes=changes, notes=tuple(notes))

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
            _run(_where_is(kind.program) or kind.program)

    def check(self, locations: Sequence[str], *, ca: str | None = None) -> Mapping[str, str | None] | None:
        """Look for the certificate in the bundle that programs read."""
        found = self._has(ca)
        if found is None:
            return None
        return {place: None if found else f"does not trust the certificate of {place}" for place in locations}

    def _kind(self) -> _Kind | None:
        root = self._machine.root
        return next((kind for kind in _KINDS if (root / kind.folder).is_dir() and _where_is(kind.program)), None)

    def _find(self, name: str) -> Iterator[tuple[Path, bytes]]:
        """The files for a registry, the older one first, with their certificates."""
        older = self._path(name)
        for path in (older, *sorted(older.parent.glob(f"{older.stem}-*{older.suffix}"))):
            data = read_text(path)
            if data is not None and path in (older, self._path(name, _authority_in(data))):
                yield path, data

    def _path(self, name: str, authority: str | None = None) -> Path:
        """The file of a CA, or the older one, which does not name the CA."""
        file = f"{name}.crt" if authority is None else f"{name}-{authority}.crt"
        kind = self._kind()
        if kind is not None:
            return self._machine.root / kind.folder / f"localreg-{file}"
        if sys.platform == "darwin":
            # The keychain has no files; this one tells which certificate localreg put into it.
            return Path("/Library/Application Support/localreg", file)
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


def _authority_in(data: bytes) -> str:
    """A short word for the CA that certificates in PEM are of; the same for a renewed one."""
    # Python takes no other text.
    certificates = data.decode("ascii", errors="ignore")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with contextlib.suppress(ssl.SSLError, ValueError):
        context.load_verify_locations(cadata=certificates)
    names = sorted(str(found["subject"]) for found in context.get_ca_certs())
    return hashlib.sha256("".join(names or certificates.split()).encode()).hexdigest()[:_DIGITS]


def _removal(target: Target, path: Path) -> str:
    """The command that removes one of localreg's files, which tells the CA itself."""
    return as_root(*words_of(Plan(SYSTEM, replace(target, ca_file=path))))


def _where_is(program: str) -> str | None:
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
