"""The registry that `trust` tells clients of, and those that it can tell."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from localreg.cli.podman_fix import both_names
from localreg.cli.session import Session
from localreg.clients.port import Client, Target
from localreg.errors import ConfigError, ConflictError, EngineUnavailableError, LocalregError, UsageError, reason_of
from localreg.oci.ping import Reply, ask
from localreg.oci.reference import is_location
from localreg.registry.ca import CERTIFICATE, ca_folder, own_ca, signed_by_own_key
from localreg.registry.container import Registry, find_registry
from localreg.registry.exposure import is_localhost_of_another, localhost_of_another
from localreg.registry.tls import TlsFacts, tls_of
from localreg.system.command_line import CommandLine, Sentence

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----")


@dataclass(frozen=True, slots=True)
class Found:
    """The registry of this name, or none yet."""

    registry: Registry | None = None
    engine: str | None = None
    """The name of its engine."""


def find(session: Session) -> Found:
    """Look for the registry; without an engine there is none."""
    try:
        with session.opened() as engine:
            return Found(find_registry(engine, session.name), engine.info().name)
    except EngineUnavailableError:
        return Found()


def target_of(name: str, found: Found) -> Target:
    """The registry, or the one that `up` would create.

    Raises:
        ConflictError: it speaks TLS, and localreg does not know by which CA, so plain HTTP is not what it needs.
    """
    registry = found.registry
    facts = None if registry is None else tls_of(registry)
    if registry is not None and registry.speaks_plain_http and registry.url and ask(registry.url) is Reply.SPEAKS_TLS:
        raise ConflictError(
            f"registry `{name}` speaks TLS, and localreg does not know its CA",
            hint=CommandLine("trust", "--location", registry.get_location(), "--ca", "FILE"),
        )
    # The file is for another user, who has no such CA.
    file = ca_folder() / CERTIFICATE if facts is not None and _is_own(facts) else None
    return Target(name, tuple(both_names(registry)), None if facts is None else facts.ca, file)


def that_reach_it(found: Found, clients: Sequence[Client]) -> list[Client]:
    """The clients whose `localhost` leads to the registry; if that is on another machine, its Docker alone.

    The CA of a registry that is not there would be trusted for whatever listens at that port of this machine.
    """
    if found.registry is None or not is_localhost_of_another(found.registry):
        return list(clients)
    return [client for client in clients if client.name == found.engine == "docker"]


def out_of_reach(registry: Registry, left_out: Sequence[Client]) -> ConflictError:
    """The error that clients of this machine do not reach a registry."""
    names = ", ".join(client.name for client in left_out)
    ca = "" if registry.speaks_plain_http else " --ca FILE"
    return localhost_of_another(names, registry.get_location()).with_(
        hint=Sentence(f"if a port of this machine leads there: localreg trust --location HOST:PORT{ca}")
    )


def _is_own(facts: TlsFacts) -> bool:
    """This user's authority signed the registry's certificate, perhaps before its last renewal."""
    try:
        return facts.ca == own_ca() or signed_by_own_key(facts)
    except LocalregError:
        # It cannot be read, or cryptography is not installed.
        return False


def of_own_ca(target: Target) -> Target:
    """The same with this user's authority, if there is one, and a place for it."""
    with contextlib.suppress(ConfigError):
        if (own := own_ca()) is not None:
            return replace(target, ca=own, ca_file=ca_folder() / CERTIFICATE)
    return target


def check_authority(target: Target) -> None:
    """Check that the system may trust the CA of a registry for every program.

    Raises:
        UsageError: the registry has none, or another user made it: the label of a container is not enough.
    """
    if target.ca is None:
        raise UsageError("the registry has no certificate", hint=CommandLine("up", "--recreate", "--tls"))
    if target.ca_file is None:
        raise UsageError(
            "another user's CA signed the registry's certificate",
            hint=Sentence("name its file: localreg trust --system --location HOST:PORT --ca FILE"),
        )


def named_target(name: str, locations: Sequence[str], ca: Path | None) -> Target:
    """The addresses that the user named."""
    places = tuple(dict.fromkeys(map(_checked, locations)))
    target = Target(name, places)
    return target if ca is None else of_file(target, ca)


def of_file(target: Target, ca: Path) -> Target:
    """The same with the CA whose certificate is in a file.

    Raises:
        ConfigError: it cannot be read, or has no certificate.
    """
    try:
        text = ca.read_text()
    except (OSError, UnicodeDecodeError) as exc:
        reason = reason_of(exc) if isinstance(exc, OSError) else "it is not text"
        raise ConfigError(f"cannot read `{ca}`: {reason}") from exc
    # A file may have a private key as well, and the clients' files can be read by all users.
    certificates = "".join(f"{found}\n" for found in _CERTIFICATE.findall(text))
    if not certificates:
        raise ConfigError(f"`{ca}` has no certificate in PEM", hint=Sentence("name the certificate of the CA"))
    return replace(target, ca=certificates, ca_file=ca.resolve())


def _checked(place: str) -> str:
    if not is_location(place):
        raise UsageError(
            f"`{place}` is not a valid HOST:PORT", hint=CommandLine("trust", "--location", "localhost:5000")
        )
    return place
