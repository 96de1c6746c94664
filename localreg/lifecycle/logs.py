"""A registry's log: once, or followed across restarts until its container is removed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from localreg.engines.base import Container, ContainerRuntime, LogChunk
from localreg.errors import UsageError
from localreg.registry_container import get_registry

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
        engine: Where its container is.
        name: The container's name, ours or not.
        follow: Go on when the container is stopped and started again, until it is removed.
        tail: Only this many last lines to begin with.
        since: Only what was written at or after it.
        timestamps: Each line begins with the time that the engine noted.
        notify: Told when the container stops, and when it is gone.

    Raises:
        ContainerNotFoundError: there is no container of that name.
    """
    container = get_registry(engine, name).container
    yield from engine.read_logs(container.id, follow=follow, tail=tail, since=since, timestamps=timestamps)
    while follow:
        restarted = _await_restart(engine, name, container, notify)
        if restarted is None:
            notify(f"container `{name}` was removed: the log ends here")
            return
        container = restarted
        yield from engine.read_logs(container.id, follow=True, since=container.started_at, timestamps=timestamps)


def _await_restart(
    engine: ContainerRuntime, name: str, before: Container, notify: Callable[[str], None]
) -> Container | None:
    """The container when it runs again after the one seen `before`; None when it is gone."""
    told = False
    while True:
        now = engine.find_container(name)
        if now is None:
            return None
        if now.is_running and (now.id, now.started_at) != (before.id, before.started_at):
            return now
        if not now.is_running and not told:
            told = True
            notify(f"container `{name}` stopped; waiting until it starts again")
        time.sleep(_POLL_SECONDS)


_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}


def parse_since(text: str, *, now: datetime | None = None) -> datetime:
    """Read a moment as `docker logs --since` does.

    Args:
        text: RFC 3339 (local time where it names no zone), a Unix time in seconds, or a duration such as `1h30m`.
        now: What a duration is counted back from.

    Raises:
        UsageError: it is none of these.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        pass
    else:
        return moment if moment.tzinfo else moment.astimezone()
    try:
        return datetime.fromtimestamp(float(text), UTC)
    except (ValueError, OverflowError, OSError):
        pass
    seconds = _parse_duration(text)
    if seconds is None:
        raise UsageError(f"`{text}` is no moment", hint="--since takes 2026-01-31T12:00:00, 10m, 1h30m or a Unix time")
    return (now or datetime.now(UTC)) - timedelta(seconds=seconds)


def _parse_duration(text: str) -> float | None:
    seconds, number = 0.0, ""
    for character in text:
        if character in _UNITS and number:
            try:
                seconds += float(number) * _UNITS[character]
            except ValueError:
                return None
            number = ""
        else:
            number += character
    return seconds if text and not number else None
