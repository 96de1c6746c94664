"""The framing in which both engines send a container's log: eight bytes of header, then that many bytes of output.

See "Stream format" of `POST /containers/{id}/attach` in Docker's API; Podman sends the same.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from localreg.engines.values import LogChunk
from localreg.errors import EngineLostError

_HEADER = struct.Struct(">BxxxL")
_STDERR = 2


def iter_log_chunks(received: Iterable[bytes]) -> Iterator[LogChunk]:
    """Take the frames apart, however the bytes were cut on their way; output is handed on as soon as it is there.

    Raises:
        EngineLostError: the bytes end within a frame.
    """
    buffer = b""
    stream = 0
    missing = 0
    for data in received:
        buffer += data
        while buffer:
            if missing == 0:
                if len(buffer) < _HEADER.size:
                    break
                stream, missing = _HEADER.unpack_from(buffer)
                buffer = buffer[_HEADER.size :]
            payload, buffer = buffer[:missing], buffer[missing:]
            missing -= len(payload)
            if payload:
                yield LogChunk("stderr" if stream == _STDERR else "stdout", payload)
    if buffer or missing:
        raise EngineLostError("the engine's log broke off in the middle of a line")
