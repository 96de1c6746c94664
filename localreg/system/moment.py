"""Times as people type them."""

from __future__ import annotations

import contextlib
import re
from datetime import UTC, datetime, timedelta
from functools import partial

from localreg.errors import UsageError
from localreg.system.command_line import Sentence

_UNITS = {"w": 604800.0, "d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)([wdhms])", re.ASCII)
_DURATION = re.compile(rf"(?:{_PART.pattern})+", re.ASCII)


def parse_moment(text: str, *, now: datetime | None = None) -> datetime:
    """Read a time, or how long ago it was, as `docker logs --since` does.

    Args:
        text: RFC 3339 (local time without a zone), a Unix time in seconds, or a duration such as `1h30m`.
        now: The time from which a duration counts back.

    Raises:
        UsageError: it is none of these.
    """
    for read in (_read_moment, _read_unix_time, partial(_read_duration, now=now or datetime.now(UTC))):
        with contextlib.suppress(ValueError, OverflowError, OSError):
            return read(text)
    raise UsageError(
        f"`{text}` is not a valid time",
        hint=Sentence("use a time such as 2026-01-31T12:00:00, 10m, 1h30m or a Unix time"),
    )


def _read_moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _read_unix_time(text: str) -> datetime:
    return datetime.fromtimestamp(float(text), UTC)


def _read_duration(text: str, *, now: datetime) -> datetime:
    return now - _span(text)


def parse_duration(text: str) -> timedelta:
    """Read a duration, such as `14d`, `1h30m` or `0`.

    Raises:
        UsageError: it is not one.
    """
    with contextlib.suppress(ValueError, OverflowError):
        return timedelta() if text == "0" else _span(text)
    raise UsageError(f"`{text}` is not a valid duration", hint=Sentence("use a duration such as 30m, 12h, 14d or 0"))


def _span(text: str) -> timedelta:
    if not _DURATION.fullmatch(text):
        raise ValueError(text)
    return timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text)))
