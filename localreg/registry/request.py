"""What `up` is asked for, and whom it tells what happens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from localreg.command_line import CommandLine
from localreg.engines.values import Progress
from localreg.registry.defaults import DEFAULT_WAIT_SECONDS
from localreg.registry.options import PullPolicy, RegistryOptions
from localreg.registry.port import PortClaims

Notify = Callable[[str], None]
"""Takes a sentence that the user should know on the way."""
OnProgress = Callable[[Progress], None]
"""Takes each step of pulling the registry's image."""


@dataclass(frozen=True, slots=True)
class UpRequest:
    """What `up` was asked for."""

    name: str
    asked: RegistryOptions = field(default_factory=RegistryOptions)
    archive: Path | None = None
    pull: PullPolicy = PullPolicy.MISSING
    wait_seconds: float = DEFAULT_WAIT_SECONDS
    recreate: bool = False
    claims: PortClaims = field(default_factory=PortClaims)

    @property
    def command(self) -> CommandLine:
        """What was typed, but for the options."""
        return CommandLine("up", "--recreate") if self.recreate else CommandLine("up")

    @property
    def image_options(self) -> tuple[str, ...]:
        """Those options that say where the image of a new container comes from."""
        given = {"image-archive": self.archive is not None, "pull": self.pull is PullPolicy.ALWAYS}
        return tuple(option for option, is_given in given.items() if is_given)
