"""What engines say when a push or a pull fails, sorted by who is to blame."""

from __future__ import annotations

import re

from localreg.errors import (
    EngineError,
    ImageNotFoundError,
    LocalregError,
    RegistryError,
    RegistryUnreachableError,
)

_NO_LOCAL_IMAGE = re.compile(
    r"image does not exist locally|image not known|does not exist locally with the tag|no such image|"
    r"reference does not exist|locating image with",
    re.IGNORECASE,
)
_NOT_UPSTREAM = re.compile(
    r"manifest unknown|manifest for .* not found|name unknown|repository name not known|"
    r"repository does not exist|pull access denied|: not found\b",
    re.IGNORECASE,
)
_UNREACHABLE = re.compile(
    r"connection refused|no such host|i/o timeout|network is unreachable|no route to host|deadline exceeded|"
    r"server misbehaving|TLS handshake timeout|connection reset|\bEOF\b|broken pipe",
    re.IGNORECASE,
)
_RATE_LIMIT = re.compile(r"toomanyrequests|rate limit", re.IGNORECASE)
_FROM_REGISTRY = re.compile(
    r"status(?: code)?:? ?[45]\d\d|\b[45]\d\d \([a-z' -]+\)|received unexpected HTTP|unauthorized|"
    r"(?<!permission )denied|HTTP response to HTTPS client|blob upload|error parsing HTTP|"
    r"source docker://.*: invalid character",
    re.IGNORECASE,
)


def transfer_error(reference: str, message: str) -> LocalregError:
    """The error that an engine's words mean.

    Args:
        reference: What was pushed or pulled.
        message: The engine's own words.
    """
    details = message.strip().splitlines()
    registry = reference.partition("/")[0]
    if _NO_LOCAL_IMAGE.search(message):
        return ImageNotFoundError(f"the engine has no image `{reference}`", details=details)
    if _RATE_LIMIT.search(message):
        return RegistryError(f"{registry} refuses `{reference}`: its rate limit is used up", details=details)
    if _NOT_UPSTREAM.search(message):
        return ImageNotFoundError(f"{registry} has no image `{reference}`", details=details)
    if _UNREACHABLE.search(message):
        return RegistryUnreachableError(f"{registry} cannot be reached for `{reference}`", details=details)
    if _FROM_REGISTRY.search(message):
        return RegistryError(f"{registry} refused `{reference}`", details=details)
    return EngineError(f"the engine failed on `{reference}`", details=details)
