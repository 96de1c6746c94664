"""What a client says of an image that its registry does not have, which tells whether it can use the registry."""

from __future__ import annotations

import re

NOT_THERE = "localreg/check:none"
"""A reference without a registry that no registry has: the answer to it says how the client reached the registry."""

_REACHED = re.compile(
    r": not found\s*$|code = NotFound|pull access denied|authorization failed|no basic auth credentials"
    r"|insufficient_scope|\b40[13] (?:Unauthorized|Forbidden)",
    re.MULTILINE,
)
_SILENT = re.compile(
    r"connection refused|no such host|network is unreachable|no route to host|i/o timeout|deadline exceeded"
)
_CALLS = re.compile(
    r"\A.*(?:failed to do request: |(?=unexpected status from )|(?=pulling from host ))|\A(?:ctr|ERROR|error): "
)
_LOGGED = re.compile(r'\bmsg="((?:[^"\\]|\\.)*)"')


class SilentRegistryError(Exception):
    """The registry did not answer the client, so that its answer says nothing about its configuration."""


def find_refusal(said: str) -> str | None:
    """Why a client cannot use a registry, in its own words; None if it reached it.

    Args:
        said: Its output, after it was asked to pull `NOT_THERE`.

    Raises:
        SilentRegistryError: the registry did not answer it.
    """
    if _REACHED.search(said):
        return None
    lines = [line for line in said.splitlines() if line.strip()]
    if not lines:
        return "it gave no reason"
    # The lines before it may be of other places that it asked.
    if _SILENT.search(lines[-1]):
        raise SilentRegistryError
    logged = _LOGGED.search(lines[-1])
    last = logged[1].replace('\\"', '"') if logged else lines[-1].strip()
    # The programs name their own calls first; the cause comes last.
    return _CALLS.sub("", last)
