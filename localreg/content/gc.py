"""`gc`: frees the bytes of what no tag leads to, while the registry runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from localreg.content.collector import Collected, Collector
from localreg.content.in_use import find_in_use
from localreg.engines.port import ContainerRuntime
from localreg.errors import EngineError
from localreg.registry.container import Registry
from localreg.registry.volume import WritableVolume, open_volume
from localreg.system.command_line import CommandLine

GRACE = timedelta(hours=1)
"""How long waste stays in the quarantine."""


@dataclass(frozen=True, slots=True)
class GcOptions:
    """The options of a collection."""

    grace: timedelta = GRACE
    """How long waste stays in the quarantine before the next collection deletes it."""
    keep_untagged: bool = False
    """Manifests without a tag are not waste."""


def look(engine: ContainerRuntime, registry: Registry, options: GcOptions) -> Collected:
    """Find what a collection would do; changes nothing.

    Raises:
        EngineError: the registry's volume cannot be read.
    """
    return _collector(engine, registry, options).look()


def collect(engine: ContainerRuntime, registry: Registry, options: GcOptions) -> Collected:
    """Move waste into the quarantine, and delete what was there for the grace period.

    Raises:
        EngineError: the registry's volume cannot be read or changed.
    """
    return _collector(engine, registry, options).collect(grace=options.grace)


def undo(engine: ContainerRuntime, registry: Registry) -> int:
    """Put back all that is in the quarantine; returns its bytes.

    Raises:
        EngineError: the registry's volume cannot be read or changed.
    """
    return Collector(_volume_of(engine, registry)).undo()


def _collector(engine: ContainerRuntime, registry: Registry, options: GcOptions) -> Collector:
    return Collector(
        _volume_of(engine, registry),
        in_use=partial(find_in_use, engine, registry.container.id),
        keep_untagged=options.keep_untagged,
    )


def _volume_of(engine: ContainerRuntime, registry: Registry) -> WritableVolume:
    volume = open_volume(engine, registry)
    if volume is None:
        raise EngineError(f"registry `{registry.container.name}` {registry.state_clause}", hint=CommandLine("up"))
    return volume
