"""The check that looks further into an error, for a hint."""

from __future__ import annotations

from localreg.errors import EngineLostError, LocalregError
from localreg.system.command_line import CommandLine

_CHECKS: tuple[tuple[type[LocalregError], str], ...] = ((EngineLostError, "engine"),)


def with_check(error: LocalregError) -> LocalregError:
    """An error without a hint, with the check that looks further into it, if there is one."""
    if error.hint is not None:
        return error
    check = next((check for kind, check in _CHECKS if isinstance(error, kind)), None)
    return error if check is None else error.with_(hint=CommandLine("doctor", check))
