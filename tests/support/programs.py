"""Programs of a few bytes, written without a compiler: static ELF files that print a line."""

from __future__ import annotations

import platform
import struct
from pathlib import Path

DISTRIBUTION = "docker-registry github.com/docker/distribution 2.8.3+ds1\n"
"""What Debian's build of Distribution prints when it is asked for its version."""

_ADDRESS = 0x400000
_HEADERS = 64 + 2 * 56
_MACHINES = {"x86_64": 62, "aarch64": 183}
_LOAD, _INTERP, _NULL = 1, 3, 0


def write_program(path: Path, line: str, *, loader: str | None = None) -> Path:
    """Write a program that prints a line and ends with 0.

    Args:
        path: Where.
        line: What it prints.
        loader: The dynamic loader it asks for; None for a static program.
    """
    code = _code(line.encode())
    asked = b"" if loader is None else loader.encode() + b"\0"
    size = _HEADERS + len(code) + len(asked)
    start = struct.pack(
        "<16sHHIQQQIHHHHHH",
        b"\x7fELF\x02\x01\x01",
        2,
        _MACHINES[platform.machine()],
        1,
        _ADDRESS + _HEADERS,
        64,
        0,
        0,
        64,
        56,
        2,
        0,
        0,
        0,
    )
    second = _segment(_INTERP, _HEADERS + len(code), len(asked)) if asked else _segment(_NULL, 0, 0)
    path.write_bytes(start + _segment(_LOAD, 0, size) + second + code + asked)
    path.chmod(0o755)
    return path


def _segment(kind: int, offset: int, size: int) -> bytes:
    readable_and_executable = 5
    return struct.pack(
        "<IIQQQQQQ", kind, readable_and_executable, offset, _ADDRESS + offset, _ADDRESS + offset, size, size, 0x1000
    )


def _code(message: bytes) -> bytes:
    """Machine code for write(1, message) and exit(0), with the message behind it."""
    if platform.machine() == "x86_64":
        instructions = (
            b"\xb8\x01\0\0\0\xbf\x01\0\0\0"
            + struct.pack("<3si", b"\x48\x8d\x35", 16)
            + struct.pack("<cI", b"\xba", len(message))
            + b"\x0f\x05\xb8\x3c\0\0\0\x31\xff\x0f\x05"
        )
    else:
        instructions = struct.pack(
            "<8I",
            0xD2800808,
            0xD2800020,
            0x10000001 | (24 >> 2) << 5,
            0xD2800002 | len(message) << 5,
            0xD4000001,
            0xD2800BA8,
            0xD2800000,
            0xD4000001,
        )
    return instructions + message
