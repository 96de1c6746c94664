"""Whether each client on this machine can use the registry."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

from localreg.clients.port import Client, Machine, Target
from localreg.clients.trust import Trusted, find_trust, list_clients
from localreg.doctor.check import NotNeededError
from localreg.doctor.engine_view import cause_of
from localreg.doctor.finding import Finding, Severity
from localreg.doctor.scene import Scene
from localreg.engines.values import EngineInfo
from localreg.errors import EngineUnavailableError, LocalregError
from localreg.registry.exposure import is_localhost_of_another
from localreg.registry.tls import ca_of
from localreg.system.at_once import do_at_once
from localreg.system.command_line import CommandLine


def check_trust(scene: Scene) -> Iterator[Finding]:
    """Ask each client that is installed here."""
    registry, location = scene.registry, scene.location
    clients = list_clients(Machine(os.environ, open_docker=scene.open_docker))
    if is_localhost_of_another(registry):
        # Its Docker is there as well, and can be asked from here.
        clients = [client for client in clients if client.name == scene.engine.info().name == "docker"]
        if not clients:
            raise NotNeededError(f"{location} of this machine does not lead to the registry")
    if not clients:
        raise NotNeededError("this machine has no client that must be told of a registry")
    target = Target(scene.name, (location,), ca_of(registry))
    for found in do_at_once(lambda client: _ask(client, target, scene.engine.info()), clients, workers=len(clients)):
        yield from found


def _ask(client: Client, target: Target, engine: EngineInfo) -> list[Finding]:
    """Ask one client; one that is installed and does not run is not asked."""
    is_own = client.name == engine.name
    severity = Severity.PROBLEM if is_own else Severity.WARNING
    try:
        found = _read(client, find_trust(client, target), severity)
        return [replace(finding, cause=cause_of(engine) if is_own else None) for finding in found]
    except EngineUnavailableError:
        return []
    except LocalregError as exc:
        return [
            Finding(
                exc.message,
                f"it is not known whether {client.name} can use the registry",
                (exc.hint,) if exc.hint else (),
                severity=severity,
                details=exc.details,
            )
        ]


def _read(client: Client, trusted: Trusted, severity: Severity) -> Iterator[Finding]:
    for location, obstacle in (trusted.checked or {}).items():
        if obstacle is None:
            continue
        cures = [one.cure for one in trusted.plan.obstacles] or [CommandLine("trust", client.name)]
        yield Finding(
            f"{client.name} {obstacle}",
            f"every push and pull of {location} with {client.name} fails",
            tuple(dict.fromkeys(cures)),
            is_safe=not trusted.plan.obstacles and not trusted.plan.cures,
            severity=severity,
        )
