"""The request of `up`, and the functions that it reports to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from localreg.engines.values import Progress
from localreg.registry.defaults import DEFAULT_WAIT_SECONDS
from localreg.registry.options import PullPolicy, RegistryOptions
from localreg.registry.port import PortClaims
from localreg.registry.users import UserRequest
from localreg.system.command_line import CommandLine

Notify = Callable[[str], None]
"""Gets a note for the user."""
OnProgress = Callable[[Progress], None]
"""Gets each step of pulling the registry's image."""


@dataclass(frozen=True, slots=True)
class UpRequest:
    """The request of `up`."""

    name: str
    asked: RegistryOptions = field(default_factory=RegistryOptions)
    archive: Path | None = None
    pull: PullPolicy = PullPolicy.MISSING
    wait_seconds: float = DEFAULT_WAIT_SECONDS
    recreate: bool = False
    networks: tuple[str, ...] | None = None
    """The networks that a new container joins; None for those of the one that it replaces."""
    claims: PortClaims = field(default_factory=PortClaims)
    user: UserRequest = field(default_factory=UserRequest)
    """If the registry requires a login."""
    insecure_exposure: bool = False
    """Machines beyond this one may use the registry without TLS or a password."""

    @property
    def command(self) -> CommandLine:
        """The typed command, without most options."""
        return CommandLine("up", "--recreate") if self.recreate else CommandLine("up")

    @property
    def image_options(self) -> tuple[str, ...]:
        """The given options that only matter for the image of a new container."""
        given = {"image-archive": self.archive is not None, "pull": self.pull is PullPolicy.ALWAYS}
        return tuple(option for option, is_given in given.items() if is_given)

    @property
    def creation_options(self) -> tuple[str, ...]:
        """These, and the given options that only matter for the users of a new container."""
        given = {"auth-user": self.user.name, "password-stdin": self.user.password}
        return (*self.image_options, *(option for option, value in given.items() if value is not None))
