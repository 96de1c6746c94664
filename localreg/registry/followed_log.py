"""A log that is followed across runs of its container, each line once.

The log of one run and that of the next are read one after the other, and overlap: an engine can write down a line after
the run has ended. Podman goes on into the next run for a moment, and may begin the log again when it does. So a line is
not shown again with the same time.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Literal

from localreg.engines.values import LogChunk

_TIME = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d) ")
_REMEMBERED = 10_000
"""How many lines can come again."""

_Stream = Literal["stdout", "stderr"]


class FollowedLog:
    """Reads several logs as one.

    Args:
        timestamps: Leave the engine's time at the beginning of each line.
    """

    def __init__(self, *, timestamps: bool) -> None:
        self._timestamps = timestamps
        self._shown: Counter[tuple[_Stream, bytes]] = Counter()
        """How often each line was shown; several can have one time."""
        self.until: datetime | None = None
        """The latest time of a line, to the microsecond."""

    def read(self, chunks: Iterable[LogChunk]) -> Iterator[LogChunk]:
        """The lines of one more log that were not in those before it.

        Args:
            chunks: The log, each line with the engine's time.
        """
        rests: dict[_Stream, bytes] = {}
        came: Counter[tuple[_Stream, bytes]] = Counter()
        last: dict[_Stream, datetime] = {}
        for chunk in chunks:
            *lines, rest = re.split(rb"(?<=\n)", rests.get(chunk.stream, b"") + chunk.data)
            rests[chunk.stream] = rest
            new = b"".join(self._new(chunk.stream, line, came, last) for line in lines)
            if new:
                yield LogChunk(chunk.stream, new)
        for stream, rest in rests.items():
            if new := self._new(stream, rest, came, last):
                yield LogChunk(stream, new)

    def _new(
        self, stream: _Stream, line: bytes, came: Counter[tuple[_Stream, bytes]], last: dict[_Stream, datetime]
    ) -> bytes:
        """The part of a line to show; nothing if it was shown before.

        Args:
            stream: The stream of the line.
            line: With its time.
            came: How often each line has come since this log began, or began again.
            last: The time of the last line of each stream.
        """
        found = _TIME.match(line)
        if found is None:
            return line
        moment = _read_moment(found)
        if stream in last and moment < last[stream]:
            came.clear()
        last[stream] = moment
        came[stream, line] += 1
        if came[stream, line] <= self._shown[stream, line]:
            return b""
        self._remember(stream, line)
        self.until = max(moment, self.until or moment)
        return line if self._timestamps else line[found.end() :]

    def _remember(self, stream: _Stream, line: bytes) -> None:
        self._shown[stream, line] += 1
        if len(self._shown) > _REMEMBERED:
            del self._shown[next(iter(self._shown))]


def _read_moment(found: re.Match[bytes]) -> datetime:
    fraction = (found[2] or b"").ljust(6, b"0")[:6]
    return datetime.fromisoformat(f"{found[1].decode()}.{fraction.decode()}{found[3].decode()}")
