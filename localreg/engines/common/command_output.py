"""The output of a command in a container, as both engines send it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from localreg.engines.common.log_frames import iter_log_chunks
from localreg.errors import EngineError, EngineLostError
from localreg.system.waiting import wait_until

CHUNK = 64 << 10
"""Bytes to read at once. The engines do not say where a response ends, so reading without a limit reads all of it."""
ERROR_BYTES = 4096
"""How much of a command's stderr is kept."""
_END_SECONDS = 5.0
"""An engine may close the output a moment before it knows that the command has ended."""


def iter_output(received: Iterable[bytes], *, inspect: Callable[[], Mapping[str, Any]]) -> Iterator[bytes]:
    """The stdout of a command, as soon as it arrives.

    Args:
        received: The engine's response, split anywhere.
        inspect: Asks the engine about the command: `Running` and `ExitCode`.

    Raises:
        EngineError: the command failed; raised after its output.
        EngineLostError: the connection broke before the end of the output.
    """
    errors = b""
    for chunk in iter_log_chunks(received):
        if chunk.stream == "stdout":
            yield chunk.data
        else:
            errors = (errors + chunk.data)[-ERROR_BYTES:]
    check_exit_code(wait_for_exit_code(inspect), errors)


def wait_for_exit_code(inspect: Callable[[], Mapping[str, Any]]) -> int:
    """The exit code of a command whose output has ended.

    Raises:
        EngineLostError: it is still running.
    """
    found: Mapping[str, Any] = {}

    def has_ended() -> bool:
        nonlocal found
        found = inspect()
        return not found["Running"]

    if not wait_until(has_ended, seconds=_END_SECONDS):
        raise EngineLostError("the connection to the engine broke while a command ran in a container")
    return int(found["ExitCode"])


def check_exit_code(code: int, errors: bytes) -> None:
    """Check that a command succeeded.

    Args:
        code: Its exit code.
        errors: What it wrote to stderr.

    Raises:
        EngineError: it failed.
    """
    if code:
        said = errors.decode(errors="backslashreplace").splitlines()
        raise EngineError(f"a command in the container failed with exit code {code}", details=said)
