"""The engines' messages about a failed push or pull, and the error that each means."""

from __future__ import annotations

import re

from localreg.errors import (
    EngineError,
    ImageNotFoundError,
    LocalregError,
    RegistryError,
    RegistryUnreachableError,
)

PORT_TAKEN = re.compile(
    r"port is already allocated|address already in use|ports are not available|proxy already running", re.IGNORECASE
)
"""Messages of engines, their proxies and their virtual machines about a port that cannot be bound."""

PORT_NEEDS_ROOT = re.compile(
    r"cannot expose privileged port|(?:listen failed for|failed to bind port).*permission denied", re.IGNORECASE
)
"""The message of rootless engines about a port that only root may use."""

DISK_FULL = re.compile(r"no space left on device|disk quota exceeded", re.IGNORECASE)
"""Messages of the system about a full disk."""
NOT_WRITABLE = re.compile(r"permission denied|read-only file system", re.IGNORECASE)
"""Messages of the system about a file or folder that may not be written."""
_NO_LOCAL_IMAGE = re.compile(
    r"image does not exist locally|image not known|does not exist locally with the tag|no such image|"
    r"reference does not exist|locating image with|tag does not exist",
    re.IGNORECASE,
)
_NOT_UPSTREAM = re.compile(
    r"manifest unknown|manifest for .* not found|name unknown|repository name not known|"
    r"repository does not exist|pull access denied|: not found\b",
    re.IGNORECASE,
)
_UNREACHABLE = re.compile(
    r"connection refused|no such host|i/o timeout|network is unreachable|no route to host|deadline exceeded|"
    r"server misbehaving|TLS handshake timeout|timeout awaiting response headers|connection reset|\bEOF\b|broken pipe",
    re.IGNORECASE,
)
_ENGINES_OWN = re.compile(
    r"failed to register layer|error processing tar|adding layer with blob|no space left on device", re.IGNORECASE
)
_BROKEN_LAYER = re.compile(r"verification failed for digest|digest did not match", re.IGNORECASE)
_NOT_AN_IMAGE = re.compile(r"unsupported media ?type|image-specific operation on artifact", re.IGNORECASE)
UNREADABLE_TAG = re.compile(r"HEAD request to \S+/manifests/\S+: 500", re.IGNORECASE)
"""The message of Docker's containerd store about a tag that the registry fails to read; it asks before it pushes."""
NO_LOG = re.compile(r"does not support reading|log driver, cannot read logs", re.IGNORECASE)
"""The messages of engines about a container whose log driver only writes."""
WANTS_TLS = re.compile(r"HTTP response to HTTPS client", re.IGNORECASE)
"""The message of an engine that expects TLS from a registry without it."""
THROUGH_PROXY = re.compile(r"\bproxyconnect\b", re.IGNORECASE)
"""The message of an engine that asks a proxy for a registry, and cannot reach the proxy."""
_SPEAKS_TLS = re.compile(r"HTTP request to an HTTPS server", re.IGNORECASE)
WANTS_LOGIN = re.compile(r"no basic auth credentials|authentication required", re.IGNORECASE)
"""The messages of engines without credentials for a registry that requires a login."""
_TAKES_NO_PUSH = re.compile(
    r"(?:^|: )unsupported(?:: the operation is unsupported\.?)?\s*$|method not allowed|\b405\b", re.IGNORECASE
)
_OTHER_PLATFORM = re.compile(
    r"no matching manifest for|no image found in (?:manifest list|image index) for", re.IGNORECASE
)
_RATE_LIMIT = re.compile(r"toomanyrequests|rate limit", re.IGNORECASE)
_FROM_REGISTRY = re.compile(
    r"status(?: code)?:? ?[45]\d\d|\b[45]\d\d \([a-z' -]+\)|received unexpected HTTP|unauthorized|"
    r"(?<!permission )denied|blob upload|error parsing HTTP|"
    r"source docker://.*: invalid character",
    re.IGNORECASE,
)


def transfer_error(reference: str, message: str) -> LocalregError:
    """The error that an engine's message means.

    Args:
        reference: The pushed or pulled image.
        message: The engine's message.
    """
    registry = reference.partition("/")[0]
    _, error, text, cure = next(meaning for meaning in _MEANINGS if meaning[0].search(message))
    return error(
        text.format(registry=registry, reference=reference),
        hint=cure and cure.format(registry=registry),
        details=message.strip().splitlines(),
    )


_MEANINGS: tuple[tuple[re.Pattern[str], type[LocalregError], str, str | None], ...] = (
    (_NO_LOCAL_IMAGE, ImageNotFoundError, "the engine has no image `{reference}`", None),
    (_ENGINES_OWN, EngineError, "the engine failed to transfer `{reference}`", None),
    (_BROKEN_LAYER, RegistryError, "{registry} has a broken layer of `{reference}`", None),
    (_NOT_AN_IMAGE, ImageNotFoundError, "{registry} has `{reference}`, but it is not an image", None),
    (WANTS_TLS, RegistryError, "the engine uses HTTPS for {registry}, which speaks plain HTTP", None),
    (_SPEAKS_TLS, RegistryError, "the engine uses plain HTTP for {registry}, which speaks TLS", None),
    (WANTS_LOGIN, RegistryError, "{registry} requires a login for `{reference}`", None),
    (
        _TAKES_NO_PUSH,
        RegistryError,
        "{registry} takes no pushes: it is a cache of another registry, or read-only",
        None,
    ),
    (_OTHER_PLATFORM, ImageNotFoundError, "{registry} has `{reference}`, but not for this platform", None),
    (_RATE_LIMIT, RegistryError, "{registry} refused `{reference}`: rate limit reached", None),
    (_NOT_UPSTREAM, ImageNotFoundError, "{registry} has no image `{reference}`", None),
    (THROUGH_PROXY, RegistryUnreachableError, "the engine's proxy did not answer for `{reference}`", None),
    (_UNREACHABLE, RegistryUnreachableError, "cannot reach {registry} for `{reference}`", None),
    (_FROM_REGISTRY, RegistryError, "{registry} refused `{reference}`", None),
    (re.compile(""), EngineError, "the engine failed to transfer `{reference}`", None),
)
"""The engine's message, the error, its text and its hint; the first match counts."""
