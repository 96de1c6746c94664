"""Running a program without a shell and reading its output."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from localreg.errors import reason_of


@dataclass(frozen=True, slots=True)
class Ended:
    """The exit code and the output of a program."""

    code: int
    """The exit code; below 0 the signal that ended it."""
    out: str
    err: str


class ProgramError(Exception):
    """A program could not be started, or did not end in time; the text says which."""


def run(*command: str, seconds: float, environ: Mapping[str, str] | None = None, data: bytes | None = None) -> Ended:
    """Run a program to its end.

    Args:
        command: The program, as a path or a name on PATH, and its arguments.
        seconds: How long it may take.
        environ: Its environment; the process's own by default.
        data: Its standard input; empty by default.

    Raises:
        ProgramError: it could not be started, or did not end in time.
    """
    try:
        ended = subprocess.run(  # noqa: S603 -- each caller names a program of its own; no shell takes part
            command,
            capture_output=True,
            check=False,
            env=None if environ is None else dict(environ),
            input=data,
            stdin=subprocess.DEVNULL if data is None else None,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired as exc:
        raise ProgramError(f"it did not end within {seconds:g} seconds") from exc
    except OSError as exc:
        raise ProgramError(reason_of(exc)) from exc
    return Ended(ended.returncode, _text(ended.stdout), _text(ended.stderr))


def output_of(*command: str, seconds: float, environ: Mapping[str, str] | None = None) -> str | None:
    """The output of a program; None if it fails, takes too long or cannot be started.

    Args:
        command: The program, as a path or a name on PATH, and its arguments.
        seconds: How long it may take.
        environ: Its environment; the process's own by default.
    """
    try:
        ended = run(*command, seconds=seconds, environ=environ)
    except ProgramError:
        return None
    return ended.out if ended.code == 0 else None


def _text(printed: bytes) -> str:
    return printed.decode(errors="backslashreplace")
