"""`logs`: a registry's log, once or followed across restarts until its container is removed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from localreg.engines.common.messages import NO_LOG
from localreg.engines.port import ContainerRuntime
from localreg.engines.values import Container, LogChunk
from localreg.errors import ContainerNotFoundError, EngineError
from localreg.registry.container import get_registry
from localreg.registry.followed_log import FollowedLog
from localreg.registry.log_start import log_began_at
from localreg.system.command_line import Sentence

_POLL_SECONDS = 0.25


def iter_log(
    engine: ContainerRuntime,
    name: str,
    *,
    follow: bool,
    tail: int | None,
    since: datetime | None,
    timestamps: bool,
    notify: Callable[[str], None],
) -> Iterator[LogChunk]:
    """Iterate over a registry's log, byte for byte.

    Args:
        engine: The registry's engine.
        name: The container's name; localreg need not have created it.
        follow: Continue across restarts until the container is removed.
        tail: Start with only this many last lines.
        since: Only lines written at or after this time.
        timestamps: Start each line with the engine's time.
        notify: Gets a sentence when the container stops, and when it is gone.

    Raises:
        ContainerNotFoundError: there is no container of that name.
        EngineError: its log driver keeps nothing that the engine can read.
    """
    container = get_registry(engine, name).container
    if not follow:
        yield from _explained(engine.read_logs(container.id, tail=tail, since=since, timestamps=timestamps), name)
        return
    log = FollowedLog(timestamps=timestamps)
    first = engine.read_logs(container.id, follow=True, tail=tail, since=since, timestamps=True)
    yield from _explained(log.read(first), name)
    while (restarted := _await_restart(engine, name, container, notify)) is not None:
        # Another container has a log of its own.
        began = log.until if restarted.id == container.id else None
        container = restarted
        try:
            yield from log.read(
                engine.read_logs(container.id, follow=True, since=began or log_began_at(container), timestamps=True)
            )
        except ContainerNotFoundError:
            break
    notify(f"container `{name}` was removed; end of the log")


def _explained(chunks: Iterable[LogChunk], name: str) -> Iterator[LogChunk]:
    """A log, with an error that names the log driver if that is why it cannot be read."""
    try:
        yield from chunks
    except EngineError as exc:
        if not any(map(NO_LOG.search, exc.details)):
            raise
        raise exc.with_(
            message=f"container `{name}` was started with a log driver that the engine cannot read",
            hint=Sentence("start it again with --log-driver json-file"),
        ) from exc


def _await_restart(
    engine: ContainerRuntime, name: str, before: Container, notify: Callable[[str], None]
) -> Container | None:
    """Wait until the container runs again after the run seen `before`; None if it is gone."""
    told = False
    while True:
        now = engine.find_container(name)
        if now is None:
            return None
        if now.is_running and (now.id, now.started_at) != (before.id, before.started_at):
            return now
        if not now.is_running and not told:
            told = True
            notify(f"container `{name}` stopped; waiting for it to start again")
        time.sleep(_POLL_SECONDS)
