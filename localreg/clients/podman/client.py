"""Podman, and the programs that read its configuration: Buildah and Skopeo."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from localreg.clients.changes import make_changes
from localreg.clients.podman import drop_in
from localreg.clients.podman.certificates import plan_certificates
from localreg.clients.podman.check import ask_podman, podman_release
from localreg.clients.podman.drop_in import Scope
from localreg.clients.podman.machine import fix_machine
from localreg.clients.podman.search import ETC, NEW
from localreg.clients.port import Machine, Obstacle, Plan, Target
from localreg.errors import ConfigError
from localreg.system.command_line import Sentence
from localreg.system.programs import ProgramError, run

READERS = ("podman", "buildah", "skopeo")
"""The programs that read Podman's `registries.conf`."""
_DROP_INS = "registries.conf.d"
_IMAGE = "localreg-trust:none"
_PULL_SECONDS = 30.0
_CERTIFICATE = re.compile(r"(?:x509|tls): (?!first record)(?P<reason>[^\n]*)", re.IGNORECASE)
_PLAIN = re.compile(r"HTTP response to HTTPS client")
_UNREACHABLE = re.compile(
    r"connection refused|no such host|i/o timeout|no route to host|unreachable|first record", re.IGNORECASE
)


class Podman:
    """Podman, by way of its configuration of registries."""

    name = "podman"

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def is_here(self) -> bool:
        """Whether the machine has one of the programs."""
        path = self._machine.environ.get("PATH", os.defpath)
        return any(shutil.which(program, path=path) for program in READERS)

    def plan(self, target: Target) -> Plan:
        """Plan the drop-in for a registry without TLS, and a file in `certs.d` for one with it."""
        release = podman_release()
        environ, etc = self._machine.environ, self._machine.etc / "containers"
        # Podman takes no IPv6 address in the name of an image.
        places = [place for place in target.locations if not place.startswith("[")]
        plain = places if target.ca is None else []
        fix, unread = plan_entries(target.name, plain, environ=environ, etc=etc, release=release)
        trusted = plan_certificates(self._machine, target.name, places, target.ca, release=release)
        return Plan(
            self.name,
            target,
            files=(*([fix.path] if fix.added else []), *trusted.files),
            changes=(*([fix.change] if fix.changes else []), *trusted.changes),
            provided={**{place: str(path) for place, path in fix.provided.items()}, **trusted.provided},
            obstacles=tuple(Obstacle(f"`{each.path}` {each.what}", each.cure) for each in fix.overridden.values()),
            notes=(*([unread] if unread else []), *fix.replaced),
        )

    def apply(self, plan: Plan) -> None:
        """Make the changes, also in the virtual machine of a Podman before 6, which does not read the host's files."""
        if sys.platform != "linux" and podman_release() < NEW:
            # First, because the next run makes all changes again that the host does not have.
            for change in plan.changes:
                is_drop_in = change.path.parent.name == _DROP_INS
                # Podman finds the folder of a registry in the machine by the same name.
                there = ETC / "certs.d" / change.path.parent.name / change.path.name
                fix_machine((change.after or b"").decode(), None if is_drop_in else there)
        make_changes(plan)

    def check(self, locations: Sequence[str], *, ca: str | None = None) -> Mapping[str, str | None] | None:
        """Ask `podman info` about plain HTTP; have it ask a registry with TLS for an image that does not exist."""
        places = [place for place in locations if not place.startswith("[")]
        if ca is None:
            said = ask_podman(places)
            return None if said is None else said.obstacles
        return dict(answer for place in places for answer in _pull(place)) or None


def plan_entries(
    name: str,
    locations: Sequence[str],
    *,
    scope: Scope = "auto",
    environ: Mapping[str, str] | None = None,
    etc: Path = ETC,
    release: int | None = None,
) -> tuple[drop_in.Plan, str | None]:
    """Plan the drop-in. A file of others that only localreg cannot read does not stop it.

    Args:
        name: The registry's.
        locations: Each `HOST:PORT`; empty to take back all.
        scope: As for `podman-fix`.
        environ: The environment; by default the process's.
        etc: The system's folder.
        release: The first number of Podman's version; asked for by default.

    Returns:
        The plan, and a warning about a file that localreg leaves out.

    Raises:
        ConfigError: Podman cannot read a file either.
    """
    release = podman_release() if release is None else release
    plan = partial(drop_in.plan_fix, name, locations, scope=scope, environ=environ, etc=etc, release=release)
    try:
        return plan(), None
    except ConfigError as exc:
        try:
            can_read = ask_podman(()) is not None
        except ConfigError as podmans:
            hint = Sentence("fix that file first: every push and pull with podman fails until then")
            raise exc.with_(hint=hint, details=podmans.details) from podmans
        if not can_read:
            raise
        return plan(lenient=True), f"{exc.message}; localreg leaves it out, because podman can read it"


def _pull(place: str) -> list[tuple[str, str | None]]:
    """How Podman gets along with a registry; empty if it does not tell."""
    if shutil.which("podman") is None:
        return []
    try:
        said = run("podman", "pull", "--quiet", f"{place}/{_IMAGE}", seconds=_PULL_SECONDS).err
    except ProgramError:
        return []
    if found := _CERTIFICATE.search(said):
        return [(place, f"does not trust the certificate of {place} ({found['reason']})")]
    if _PLAIN.search(said):
        return [(place, f"expects TLS from {place}, which speaks plain HTTP")]
    return [] if _UNREACHABLE.search(said) else [(place, None)]
