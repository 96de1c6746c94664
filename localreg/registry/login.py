"""`login` and `logout`: the login to a registry, in the store of the engine's own program.

The program itself is run, because it knows its store: a file, or a credential helper such as a keychain.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from http import HTTPStatus

from localreg.engines.login import LoginProgram, find_login_program
from localreg.engines.port import ContainerRuntime
from localreg.errors import ConflictError, RegistryError
from localreg.oci.access import Credentials
from localreg.oci.api import RegistryClient
from localreg.registry.client import access_to, requires_login
from localreg.registry.container import Registry
from localreg.registry.tls import ca_of
from localreg.system.address import Address
from localreg.system.command_line import CommandLine


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """The engine's program is logged in to a registry."""

    program: str
    location: str
    user: str
    is_unencrypted: bool
    """The program says that it stores the password without encryption."""


@dataclass(frozen=True, slots=True)
class LoggedOut:
    """The engine's program is logged out of a registry."""

    program: str
    location: str
    was_logged_in: bool
    """As far as the program tells."""


def check_requires_login(registry: Registry) -> None:
    """Check that there is something to log in to.

    Raises:
        ConflictError: the registry requires no login.
    """
    if not requires_login(registry):
        raise ConflictError(
            f"registry `{registry.container.name}` requires no login",
            hint=CommandLine("up", "--recreate", "--auth") if registry.is_ours else None,
        )


def is_accepted(registry: Registry, login: Credentials) -> bool:
    """Whether the registry accepts a login.

    Raises:
        RegistryUnreachableError: this machine cannot reach it.
        RegistryError: it fails.
    """
    access = replace(access_to(registry.get_location()), find_credentials=lambda _repository: login)
    with RegistryClient(registry.get_url(), connections=1, access=access, ca=ca_of(registry)) as client:
        try:
            next(client.iter_repositories(), None)
        except RegistryError as exc:
            if exc.status == HTTPStatus.UNAUTHORIZED:
                return False
            raise
    return True


def _find_program(engine: ContainerRuntime, registry: Registry) -> LoginProgram:
    # Podman is told on loopback what Docker does there by itself: no certificate proves more than the address.
    is_loopback = Address(registry.get_location().rpartition(":")[0], 0).is_loopback
    unverified = registry.speaks_plain_http or is_loopback
    return find_login_program(engine.info(), os.environ, unverified=unverified)


def log_in(engine: ContainerRuntime, registry: Registry, login: Credentials) -> LoggedIn:
    """Log the engine's own program in to a registry.

    Raises:
        EngineError: the program is not installed, or does not log in.
    """
    location = registry.get_location()
    program = _find_program(engine, registry)
    said = program.log_in(location, login)
    return LoggedIn(program.name, location, login.user, is_unencrypted="unencrypted" in said)


def log_out(engine: ContainerRuntime, registry: Registry) -> LoggedOut:
    """Remove the login to a registry from the store of the engine's own program.

    Raises:
        EngineError: the program is not installed, or fails.
        ConflictError: the registry publishes no port.
    """
    location = registry.get_location()
    program = _find_program(engine, registry)
    return LoggedOut(program.name, location, was_logged_in=program.log_out(location))
