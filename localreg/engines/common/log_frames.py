"""The frames in which both engines send a container's log: a header of eight bytes, then the output.

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
    """Split received bytes into output, as soon as it arrives.

    Args:
        received: Bytes of the stream, split anywhere.

    Raises:
        EngineLostError: the bytes end in the middle of a frame.
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
        raise EngineLostError("the connection to the engine broke in the middle of its output")
