"""A log that is followed across runs of its container, each line once.

The log of one run and that of the next are read one after the other, and overlap: an engine can write down a line after
the run has ended, and Podman goes on into the next run for a moment. The engine's time of each line tells them apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Literal

from localreg.engines.values import LogChunk

_TIME = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d) ")

_Moment = tuple[datetime, bytes]
"""To the microsecond, and the digits of the fraction."""


class FollowedLog:
    """Reads several logs as one.

    Args:
        timestamps: Leave the engine's time at the beginning of each line.
    """

    def __init__(self, *, timestamps: bool) -> None:
        self._timestamps = timestamps
        self._last: dict[str, _Moment] = {}
        """The time of the last line of each stream."""
        self._at_last: dict[str, int] = {}
        """How many lines of each stream had that time."""

    @property
    def until(self) -> datetime | None:
        """The time of the last line so far."""
        return max((moment for moment, _ in self._last.values()), default=None)

    def read(self, chunks: Iterable[LogChunk]) -> Iterator[LogChunk]:
        """The lines of one more log that were not in those before it.

        Args:
            chunks: The log, each line with the engine's time.
        """
        before, repeated = dict(self._last), dict(self._at_last)
        rests: dict[Literal["stdout", "stderr"], bytes] = {}
        for chunk in chunks:
            *lines, rest = re.split(rb"(?<=\n)", rests.get(chunk.stream, b"") + chunk.data)
            rests[chunk.stream] = rest
            new = b"".join(self._new(chunk.stream, line, before, repeated) for line in lines)
            if new:
                yield LogChunk(chunk.stream, new)
        for stream, rest in rests.items():
            if new := self._new(stream, rest, before, repeated):
                yield LogChunk(stream, new)

    def _new(self, stream: str, line: bytes, before: dict[str, _Moment], repeated: dict[str, int]) -> bytes:
        """What to show of a line; nothing if an earlier log had it."""
        found = _TIME.match(line)
        if found is None:
            return line
        moment = _read_moment(found)
        if stream in before and moment <= before[stream] and (moment < before[stream] or repeated[stream] > 0):
            repeated[stream] -= moment == before[stream]
            return b""
        self._at_last[stream] = self._at_last.get(stream, 0) + 1 if moment == self._last.get(stream) else 1
        self._last[stream] = moment
        return line if self._timestamps else line[found.end() :]


def _read_moment(found: re.Match[bytes]) -> _Moment:
    fraction = (found[2] or b"").ljust(9, b"0")
    return datetime.fromisoformat(f"{found[1].decode()}.{fraction[:6].decode()}{found[3].decode()}"), fraction
