"""`gc`: frees the bytes of what no tag leads to, while the registry runs, or while it is stopped if it has a cache."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial

from localreg.content.collectable import check_collectable, check_stores_here, must_stop
from localreg.content.collected import Collected, Step
from localreg.content.collector import Collector
from localreg.content.in_use import find_in_use
from localreg.content.quarantine import Quarantine
from localreg.engines.port import ContainerRuntime, Engine
from localreg.errors import ConflictError
from localreg.registry.collection_lock import collecting
from localreg.registry.container import Registry
from localreg.registry.distribution_settings import CACHE_VARIABLE, DistributionSettings, read_settings
from localreg.registry.helper import has_shell, helper, remove_helper
from localreg.registry.stop import stopped
from localreg.registry.volume import WritableVolume, open_folder, volume_in
from localreg.system.command_line import Sentence
from localreg.system.moment import parse_duration

NOW = timedelta(0)
GRACE = "1h"
"""How long waste stays in the quarantine, as it is typed."""


@dataclass(frozen=True, slots=True)
class GcOptions:
    """The options of a collection."""

    grace: timedelta = field(default_factory=partial(parse_duration, GRACE))
    """How long waste stays in the quarantine before the next collection deletes it."""
    keep_untagged: bool = False
    """Manifests without a tag are not waste."""
    force: bool = False
    """The registry need not be localreg's."""
    others: Sequence[ContainerRuntime] = ()
    """Other engines of the same machine, whose containers may use the same folder."""


def look(
    engine: Engine, registry: Registry, options: GcOptions, *, on_step: Callable[[Step], None] = lambda _: None
) -> Collected:
    """Find what a collection would do; changes nothing.

    Args:
        engine: The registry's engine.
        registry: Running.
        options: Of the collection.
        on_step: Told what it is doing.

    Raises:
        ConflictError: the registry must not be collected, or is being collected.
        EngineError: the registry's volume cannot be read.
    """
    with collecting(registry), _opened(engine, registry, options) as (settings, volume):
        stops = must_stop(registry, settings)
        collector = _collector(engine, registry, options, volume, on_step)
        found = collector.look(grace=options.grace)
        # Not before, because nothing was changed, and the links are read now.
        check_stores_here(registry, volume, collector.links)
        return replace(found, stops=stops)


def collect(
    engine: Engine,
    registry: Registry,
    options: GcOptions,
    *,
    notify: Callable[[str], None] = lambda _: None,
    on_step: Callable[[Step], None] = lambda _: None,
) -> Collected:
    """Move waste into the quarantine, and delete what was there for the grace period.

    Args:
        engine: The registry's engine.
        registry: Running.
        options: Of the collection.
        notify: Told that the registry is stopped.
        on_step: Told what it is doing.

    Raises:
        ConflictError: the registry must not be collected, or is being collected.
        EngineError: the registry's volume cannot be read or changed.
        RegistryNotReadyError: the registry was stopped, and was not ready again in time.
    """
    with collecting(registry):
        return _collect(engine, registry, options, notify, on_step)


def _collect(
    engine: Engine,
    registry: Registry,
    options: GcOptions,
    notify: Callable[[str], None],
    on_step: Callable[[Step], None],
) -> Collected:
    with _opened(engine, registry, options) as (settings, volume):
        check_stores_here(registry, volume)
        collector = _collector(engine, registry, options, volume, on_step)
        if not must_stop(registry, settings):
            return collector.collect(grace=options.grace)
        found = collector.look(grace=options.grace)
        # Nothing is stopped for nothing.
        if found.is_empty and not Quarantine(volume).list():
            return found
    folder = open_folder(engine, registry, settings.root_directory, writes=True)
    notify(f"stopping registry `{registry.container.name}` meanwhile: it has a cache")
    with stopped(engine, registry, with_shell=folder is None) as outage:
        there = folder or volume_in(engine, outage.helper, settings.root_directory)

        def check(step: Step) -> None:
            if step is Step.DELETING:
                _check_stopped(engine, registry)
            on_step(step)

        collector = _collector(engine, registry, options, there, check, runs=False)
        try:
            done = collector.collect(grace=options.grace)
        except ConflictError:
            collector.undo()
            raise
    return replace(done, stops=True, outage=outage.seconds)


def _check_stopped(engine: Engine, registry: Registry) -> None:
    """Check that nothing started a registry: its cache may offer what was moved.

    Raises:
        ConflictError: it runs.
    """
    container = engine.find_container(registry.container.id)
    if container is not None and container.is_running:
        raise ConflictError(
            f"something started registry `{container.name}` while it was stopped for garbage collection; everything "
            "is at its place again",
            hint=Sentence(f"stop what restarts it, such as a unit of systemd, or set {CACHE_VARIABLE} to `none`"),
        )


def undo(engine: Engine, registry: Registry, options: GcOptions) -> tuple[int, int]:
    """Put back all that is in the quarantine; returns how many files, and the bytes of blobs.

    Raises:
        ConflictError: the registry must not be collected, or is being collected.
        EngineError: the registry's volume cannot be read or changed.
    """
    with collecting(registry), _opened(engine, registry, options) as (_, volume):
        check_stores_here(registry, volume)
        return Collector(volume).undo()


@contextlib.contextmanager
def _opened(
    engine: Engine, registry: Registry, options: GcOptions
) -> Iterator[tuple[DistributionSettings, WritableVolume]]:
    """The settings and the storage of a registry that may be collected."""
    settings = read_settings(engine, registry)
    check_collectable(engine, registry, settings, force=options.force, others=options.others)
    remove_helper(engine, registry.container.name)
    with _volume(engine, registry, settings) as volume:
        yield settings, volume


@contextlib.contextmanager
def _volume(engine: Engine, registry: Registry, settings: DistributionSettings) -> Iterator[WritableVolume]:
    """The storage of a running registry: its folder, or read by a shell in its container or in a helper."""
    there = settings.root_directory
    if folder := open_folder(engine, registry, there, writes=True):
        yield folder
    elif has_shell(engine, registry.container):
        yield volume_in(engine, registry.container, there, gives_way=True)
    else:
        with helper(engine, registry, with_shell=True) as made:
            yield volume_in(engine, made, there, gives_way=True)


def _collector(
    engine: Engine,
    registry: Registry,
    options: GcOptions,
    volume: WritableVolume,
    on_step: Callable[[Step], None],
    *,
    runs: bool = True,
) -> Collector:
    return Collector(
        volume,
        runs=runs,
        in_use=partial(find_in_use, engine, registry.container.id),
        keep_untagged=options.keep_untagged,
        on_step=on_step,
    )
