"""The engines' messages about a failed push or pull, and the error that each means."""

from __future__ import annotations

from localreg.errors import (
    EngineError,
    ImageNotFoundError,
    LocalregError,
    RegistryError,
    RegistryUnreachableError,
)
from localreg.explain import sayings
from localreg.explain.sayings import Saying
from localreg.system.command_line import CommandLine

PORT_TAKEN = sayings.PORT_TAKEN
PORT_NEEDS_ROOT = sayings.PORT_NEEDS_ROOT
DISK_FULL = sayings.DISK_FULL
NO_LOG = sayings.NO_LOG
WANTS_TLS = sayings.WANTS_TLS
WANTS_LOGIN = sayings.WANTS_LOGIN
THROUGH_PROXY = sayings.THROUGH_PROXY
NOT_WRITABLE = Saying(r"permission denied|read-only file system")
"""Messages of the system about a file or folder that may not be written."""
_NO_LOCAL_IMAGE = Saying(
    r"image does not exist locally|image not known|does not exist locally with the tag|no such image|"
    r"reference does not exist|locating image with|tag does not exist"
)
_NOT_UPSTREAM = Saying(
    r"manifest unknown|manifest for .* not found|name unknown|repository name not known|"
    r"repository does not exist|pull access denied|: not found\b"
)
_UNREACHABLE = Saying(
    r"connection refused|no such host|i/o timeout|network is unreachable|no route to host|deadline exceeded|"
    r"server misbehaving|TLS handshake timeout|timeout awaiting response headers|connection reset|\bEOF\b|broken pipe"
)
_ENGINES_OWN = Saying(r"failed to register layer|error processing tar|adding layer with blob|no space left on device")
UNREADABLE_TAG = Saying(r"HEAD request to \S+/manifests/\S+: 500")
"""The message of Docker's containerd store about a tag that the registry fails to read; it asks before it pushes."""
UNTRUSTED = Saying(r"certificate signed by unknown authority|is not authorized to sign for this name")
"""The messages of engines that do not have the CA of a registry, or have it from before it permitted a new name."""
_FROM_REGISTRY = Saying(
    r"status(?: code)?:? ?[45]\d\d|\b[45]\d\d \([a-z' -]+\)|received unexpected HTTP|unauthorized|"
    r"(?<!permission )denied|blob upload|error parsing HTTP|"
    r"source docker://.*: invalid character"
)


PROBED = "localreg-doctor:none"
"""An image that no registry has, which engines are asked for to find out whether they reach a registry."""


def check_answer(registry: str, message: str) -> None:
    """Check that an engine has reached a registry when it was asked for an image that does not exist.

    Args:
        registry: Its address, `host:port`.
        message: The engine's error.

    Raises:
        RegistryError: it has not.
    """
    for saying, error, text in _OUT_OF_REACH:
        if saying.search(message):
            hint = CommandLine("trust") if saying is _NOT_TRUSTED else None
            raise error(text.format(registry=registry), hint=hint, details=message.strip().splitlines())


_NOT_TRUSTED = Saying("x509")
_OUT_OF_REACH: tuple[tuple[Saying, type[RegistryError], str], ...] = (
    (WANTS_TLS, RegistryError, "the engine uses HTTPS for {registry}, which speaks plain HTTP"),
    (sayings.SPEAKS_TLS, RegistryError, "the engine uses plain HTTP for {registry}, which speaks TLS"),
    (_NOT_TRUSTED, RegistryError, "the engine does not trust the certificate of {registry}"),
    (THROUGH_PROXY, RegistryUnreachableError, "the engine asks a proxy for {registry}, and the proxy does not answer"),
    (_UNREACHABLE, RegistryUnreachableError, "the engine cannot reach {registry}"),
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


_MEANINGS: tuple[tuple[Saying, type[LocalregError], str, str | None], ...] = (
    (_NO_LOCAL_IMAGE, ImageNotFoundError, "the engine has no image `{reference}`", None),
    (_ENGINES_OWN, EngineError, "the engine failed to transfer `{reference}`", None),
    (sayings.BROKEN_LAYER, RegistryError, "{registry} has a broken layer of `{reference}`", None),
    (sayings.NOT_AN_IMAGE, ImageNotFoundError, "{registry} has `{reference}`, but it is not an image", None),
    (WANTS_TLS, RegistryError, "the engine uses HTTPS for {registry}, which speaks plain HTTP", None),
    (sayings.SPEAKS_TLS, RegistryError, "the engine uses plain HTTP for {registry}, which speaks TLS", None),
    (UNTRUSTED, RegistryError, "the engine does not trust the certificate of {registry}", None),
    (WANTS_LOGIN, RegistryError, "{registry} requires a login for `{reference}`", None),
    (
        sayings.TAKES_NO_PUSH,
        RegistryError,
        "{registry} takes no pushes: it is a cache of another registry, or read-only",
        None,
    ),
    (sayings.OTHER_PLATFORM, ImageNotFoundError, "{registry} has `{reference}`, but not for this platform", None),
    (sayings.RATE_LIMIT, RegistryError, "{registry} refused `{reference}`: rate limit reached", None),
    (_NOT_UPSTREAM, ImageNotFoundError, "{registry} has no image `{reference}`", None),
    (THROUGH_PROXY, RegistryUnreachableError, "the engine's proxy did not answer for `{reference}`", None),
    (_UNREACHABLE, RegistryUnreachableError, "cannot reach {registry} for `{reference}`", None),
    (_FROM_REGISTRY, RegistryError, "{registry} refused `{reference}`", None),
    (Saying(""), EngineError, "the engine failed to transfer `{reference}`", None),
)
"""The engine's message, the error, its text and its hint; the first match counts."""
