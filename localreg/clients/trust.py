"""`localreg trust` and `untrust`: a client is told of the registry, and asked whether it can use it."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from localreg.clients.changes import words_of
from localreg.clients.file_change import merged
from localreg.clients.port import Client, Machine, Plan, Target
from localreg.errors import ConfigError, reason_of
from localreg.system.command_line import Sentence, as_root

CLIENTS = {
    "docker": "localreg.clients.docker.client:Docker",
    "podman": "localreg.clients.podman.client:Podman",
    "containerd": "localreg.clients.containerd.client:Containerd",
    "buildkit": "localreg.clients.buildkit.client:BuildKit",
    "k3s": "localreg.clients.k3s.client:K3s",
}
"""The class of each client, by its name on the command line; imported when it is used."""


@dataclass(frozen=True, slots=True)
class Trusted:
    """One client after `trust` or `untrust`, or as it is."""

    plan: Plan
    is_made: bool
    """The changes were made, if there are any."""
    checked: Mapping[str, str | None] | None = None
    """By location, why the client cannot use the registry, or None if it can; None if it was not or cannot be asked."""


def get_client(name: str, machine: Machine) -> Client:
    """The client with this name, which is in `CLIENTS`."""
    module, _, found = CLIENTS[name].partition(":")
    client: Client = getattr(importlib.import_module(module), found)(machine)
    return client


def list_clients(machine: Machine) -> list[Client]:
    """The clients that this machine has."""
    return [client for name in CLIENTS if _is_here(client := get_client(name, machine))]


def _is_here(client: Client) -> bool:
    try:
        return client.is_here()
    except PermissionError:
        # It has a folder that only root may read.
        return True


def _plan(client: Client, target: Target) -> Plan:
    """Plan what a client needs.

    Raises:
        ConfigError: a file or a folder of it cannot be read or parsed.
    """
    try:
        return client.plan(target)
    except OSError as exc:
        again = words_of(Plan(client.name, target))
        hint = as_root(*again) if isinstance(exc, PermissionError) else None
        raise ConfigError(f"cannot read `{exc.filename}`: {reason_of(exc)}", hint=hint) from exc


def make_trust(client: Client, target: Target, *, dry_run: bool = False) -> Trusted:
    """Tell a client of the registry, and ask it whether it can use it.

    Args:
        client: It is on this machine.
        target: The registry; without locations, all that localreg added for it is taken back.
        dry_run: Only plan the changes.

    Raises:
        ConfigError: a file cannot be read, parsed or written, or the client still cannot use the registry.
    """
    plan = _plan(client, target)
    if dry_run:
        return Trusted(plan, is_made=False)
    client.apply(plan)
    checked = client.check(target.locations, ca=target.ca) if target.locations else None
    failed = [f"still {why}" for why in (checked or {}).values() if why]
    if set(target.locations).difference(checked or ()):
        # The client does not tell, so what is known to be in its way counts.
        failed += [obstacle.what for obstacle in plan.obstacles]
    if failed:
        raise _not_in_force(plan, failed)
    return Trusted(plan, is_made=True, checked=checked)


def find_trust(client: Client, target: Target) -> Trusted:
    """How a client stands to the registry, without a change.

    Raises:
        ConfigError: a file of it cannot be read or parsed.
    """
    return Trusted(_plan(client, target), is_made=False, checked=client.check(target.locations, ca=target.ca))


def _not_in_force(plan: Plan, failed: Sequence[str]) -> ConfigError:
    done = [f"{'removed' if change.after is None else 'wrote'} {change.path}" for change in merged(plan.changes)]
    cures: Sequence[str] = [*plan.cures, *(obstacle.cure for obstacle in plan.obstacles)]
    hint = cures[0] if len(cures) == 1 else Sentence(" and ".join(cures)) if cures else None
    return ConfigError(f"{plan.client} {' and '.join(dict.fromkeys(failed))}", hint=hint, details=done)
