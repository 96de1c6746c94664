"""Stopping a registry for a while, and starting it again."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass

from localreg.engines.port import Engine
from localreg.engines.values import Container
from localreg.errors import PortTakenError
from localreg.registry.container import Registry, find_registry
from localreg.registry.defaults import DEFAULT_WAIT_SECONDS
from localreg.registry.helper import helper
from localreg.registry.port import PortClaims
from localreg.registry.start import await_registry
from localreg.system.command_line import CommandLine


@dataclass
class Outage:
    """A time without the registry."""

    helper: Container
    """Has the registry's mounts."""
    seconds: float = 0
    """From the order to stop until it was ready again; known at the end."""


@contextlib.contextmanager
def stopped(engine: Engine, registry: Registry, *, with_shell: bool) -> Iterator[Outage]:
    """Stop a registry; start it at the end, also after a failure, and wait until it is ready.

    If localreg is killed meanwhile, its helper stays, and tells `status` and `up` of it. The engine does not start the
    registry by itself, because its restart policy does not count for what was stopped.

    Args:
        engine: The registry's engine.
        registry: Running, and not removed when it stops.
        with_shell: The helper has a shell.

    Raises:
        EngineError: the helper cannot be made; the registry is not stopped then.
        PortTakenError: another program took the port meanwhile.
        RegistryNotReadyError: it was not ready in time.
    """
    container = registry.container
    with helper(engine, registry, with_shell=with_shell) as made:
        outage = Outage(made)
        began = time.monotonic()
        try:
            engine.stop_container(container.id)
            yield outage
        finally:
            # The helper goes last: until then it tells that the registry must be started.
            start_again(engine, registry)
            outage.seconds = time.monotonic() - began


def start_again(engine: Engine, registry: Registry) -> Registry:
    """Start a registry that garbage collection stopped, and wait until it is ready."""
    container = registry.container
    if registry.published is not None:
        PortClaims(remote=engine.info().remote).await_forwarder(registry.published.bound)
    try:
        engine.start_container(container.id)
    except PortTakenError as exc:
        raise PortTakenError(
            f"registry `{container.name}` was stopped for garbage collection, and its port is taken now",
            hint=CommandLine("up"),
            details=exc.details,
        ) from exc
    started = find_registry(engine, container.id) or registry
    await_registry(engine, started, seconds=DEFAULT_WAIT_SECONDS)
    return started
