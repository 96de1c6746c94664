"""The registry's log as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator

from localreg.engines.values import LogChunk


class JsonLines:
    """Makes an object of each line of the log, as `jq` reads them."""

    def __init__(self) -> None:
        self._begun: dict[str, bytes] = {}

    def lines_of(self, chunk: LogChunk) -> Iterator[str]:
        """The objects of the lines that end in a chunk, each with its newline."""
        *whole, self._begun[chunk.stream] = (self._begun.get(chunk.stream, b"") + chunk.data).split(b"\n")
        for line in whole:
            yield _object(chunk.stream, line)

    def rest(self) -> Iterator[str]:
        """The objects of lines without an end: at the end of the log."""
        for stream, line in self._begun.items():
            if line:
                yield _object(stream, line)


def _object(stream: str, line: bytes) -> str:
    return f"{json.dumps({'stream': stream, 'line': line.decode(errors='replace')})}\n"
