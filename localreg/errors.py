"""Every error that localreg raises on purpose.

    LocalregError
    ├── EngineError                 1   the engine refused or failed a request
    │   ├── EngineLostError         1   the engine stopped answering in the middle
    │   ├── BuildFailedError        1   the builder ended with an error
    │   └── BuilderMissingError     1   the program that builds, or a part of it, is not installed
    ├── TunnelError                 1   the way to another machine could not be opened, or broke
    │   └── HostKeyError            1   the other machine's host key is unknown or has changed
    ├── UsageError                  2   invalid options or arguments
    │   ├── InvalidReferenceError   2   not an image reference
    │   └── InvalidArchiveError     2   a file that is not an image archive
    ├── EngineUnavailableError      3   no engine answered, with a reason for each
    ├── NotFoundError               4
    │   ├── ContainerNotFoundError  4
    │   ├── ImageNotFoundError      4
    │   └── RepositoryNotFoundError 4   a repository, tag or digest that the registry does not have
    ├── ConflictError               5
    │   ├── NameTakenError          5   another container has that name
    │   ├── PortTakenError          5
    │   ├── NotOursError            5   localreg did not create it
    │   ├── OptionsDifferError      5   the registry runs with other options
    │   ├── InUseError              5   a volume that a container still uses
    │   ├── AmbiguousEngineError    5   two engines hold the registry
    │   └── OtherRegistryError      5   a reference names another registry on this machine
    ├── RegistryError               6   the registry returned an error, or an invalid response
    │   ├── RegistryUnreachableError 6
    │   ├── DeleteDisabledError     6   deleting is disabled in the registry
    │   └── RegistryNotReadyError   6
    ├── ConfigError                 7   a configuration file
    └── InternalError               70  a bug in localreg

The number is the exit code. Only `localreg.cli.app.main` catches them.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

INTERRUPTED = 130
"""The exit code after Ctrl-C, without a message."""
TERMINATED = 143
"""The exit code after SIGTERM, and after SIGHUP."""


def reason_of(error: OSError) -> str:
    """The system's reason for an error, in lower case, to follow a colon in a message."""
    return (error.strerror or str(error)).lower()


class LocalregError(Exception):
    """The root of all errors: a message in the user's words, and what to do.

    Args:
        message: One sentence, lower case, no full stop, literals in backticks.
        hint: The command that fixes it, a `CommandLine` if that is localreg's, or a `Sentence` if no command does.
        details: More lines, such as the engine's own message or the end of a log.
    """

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None, details: Sequence[str] = ()) -> None:
        # Nothing between backticks reads like a slip of localreg's.
        self.message = re.sub(r"(?<!\S)``(?!\S)", "an empty value", message)
        super().__init__(self.message)
        self.hint = hint
        self.details = tuple(details)

    def with_(
        self, *, message: str | None = None, hint: str | None = None, details: Sequence[str] | None = None
    ) -> Self:
        """A copy with another message, hint or details. A caught error is never changed."""
        other = copy.copy(self)
        other.message = message or self.message
        other.args = (other.message,)
        other.hint = hint or self.hint
        other.details = self.details if details is None else tuple(details)
        return other


class InternalError(LocalregError):
    """A bug in localreg."""

    code = "internal-error"
    exit_code = 70


class EngineError(LocalregError):
    """The engine refused or failed the request."""

    code = "engine-failed"


class EngineLostError(EngineError):
    """The connection to the engine broke, or the engine stopped responding."""

    code = "engine-lost"


class BuildFailedError(EngineError):
    """The builder failed; its own output says why."""

    code = "build-failed"


class BuilderMissingError(EngineError):
    """The engine's builder is not installed."""

    code = "builder-missing"


class TunnelError(LocalregError):
    """A tunnel cannot be opened."""

    code = "tunnel-failed"


class HostKeyError(TunnelError):
    """The other machine's host key is unknown or has changed; a person must check it."""

    code = "host-key"


class UsageError(LocalregError):
    """Invalid options or arguments."""

    code = "usage"
    exit_code = 2


class InvalidReferenceError(UsageError):
    """Text that is not a valid image reference."""

    code = "invalid-reference"


class InvalidArchiveError(UsageError):
    """A file that is neither a docker-archive nor an OCI archive."""

    code = "invalid-archive"


@dataclass(frozen=True, slots=True)
class Unavailable:
    """A place where localreg looked for an engine, and why none answered."""

    engine: str
    """`docker` or `podman`."""
    where: str
    """The socket, URL, context or program; empty if the program is not installed."""
    reason: str
    cure: str | None = None
    """A command that works as typed."""
    variable: str | None = None
    """The environment variable that names it; then no other engine is used."""


class EngineUnavailableError(LocalregError):
    """No engine could be reached."""

    code = "engine-unavailable"
    exit_code = 3

    def __init__(self, message: str, *, probes: Sequence[Unavailable] = (), hint: str | None = None) -> None:
        cure = next((probe.cure for probe in probes if probe.cure), None)
        width = max((len(probe.engine) for probe in probes), default=0)
        lines = [
            f"{probe.engine:<{width}}  {probe.where + ': ' if probe.where else ''}{probe.reason}" for probe in probes
        ]
        super().__init__(message, hint=hint or cure, details=lines)
        self.probes = tuple(probes)


class NotFoundError(LocalregError):
    """The user named something that does not exist."""

    code = "not-found"
    exit_code = 4


class ContainerNotFoundError(NotFoundError):
    """The engine has no such container."""

    code = "container-not-found"


class ImageNotFoundError(NotFoundError):
    """The engine, or the registry it pulls from, has no such image."""

    code = "image-not-found"


class RepositoryNotFoundError(NotFoundError):
    """The registry has no such repository, tag or digest."""

    code = "repository-not-found"


class ConflictError(LocalregError):
    """Something that already exists is in the way."""

    code = "conflict"
    exit_code = 5


class NameTakenError(ConflictError):
    """A container of that name exists."""

    code = "name-taken"


class PortTakenError(ConflictError):
    """Another program listens on the port."""

    code = "port-taken"


class NotOursError(ConflictError):
    """localreg did not create it and leaves it alone."""

    code = "not-ours"


class OptionsDifferError(ConflictError):
    """The registry exists with other options than the requested ones."""

    code = "options-differ"


class InUseError(ConflictError):
    """A container still uses the volume or image."""

    code = "in-use"


class AmbiguousEngineError(ConflictError):
    """Two engines have a container of that name."""

    code = "ambiguous-engine"


class OtherRegistryError(ConflictError):
    """A reference names another registry than the one that the command is for."""

    code = "other-registry"


class RegistryError(LocalregError):
    """The registry answered an error.

    Attributes:
        status: The HTTP status, where there was one.
        registry_code: The code of the registry's own error body, such as `MANIFEST_UNKNOWN`.
    """

    code = "registry-failed"
    exit_code = 6

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        details: Sequence[str] = (),
        status: int | None = None,
        registry_code: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint, details=details)
        self.status = status
        self.registry_code = registry_code


class RegistryUnreachableError(RegistryError):
    """Nothing that speaks HTTP answers at the registry's address."""

    code = "registry-unreachable"


class RegistryNotReadyError(RegistryError):
    """The registry did not become ready in time."""

    code = "registry-not-ready"


class DeleteDisabledError(RegistryError):
    """Deleting is disabled in the registry."""

    code = "delete-disabled"


class ConfigError(LocalregError):
    """A configuration file is unreadable or invalid, or cannot be written."""

    code = "config"
    exit_code = 7
