"""What a program on this machine that pulls and pushes images is told of the registry, so that it can use it.

Each client of the registry has a module with a `Client`. It plans the changes of its configuration, which are shown or
made, and is then asked itself whether they are in force.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from localreg.clients.file_change import FileChange
from localreg.engines.port import Engine


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine of the clients; a test makes one in a folder of its own."""

    environ: Mapping[str, str]
    root: Path = Path("/")
    """The folder that holds `etc`."""
    open_docker: Callable[[], AbstractContextManager[Engine]] | None = None
    """Opens Docker, anew for each call; raises `LocalregError` if it does not answer. None if nothing asks for it."""

    @property
    def etc(self) -> Path:
        """The folder of the system's configuration."""
        return self.root / "etc"

    @property
    def home(self) -> Path | None:
        """The user's home folder, if the environment names it."""
        home = self.environ.get("HOME")
        return Path(home) if home else None


@dataclass(frozen=True, slots=True)
class Target:
    """A registry, as clients on this machine are told of it."""

    name: str
    """The name of the registry, to which localreg's entries belong."""
    locations: tuple[str, ...]
    """Each `HOST:PORT` that begins a reference to it, the usual one first; empty to take back all entries."""
    ca: str | None = None
    """The certificates in PEM of the CA that signed its certificate; None for a registry that speaks plain HTTP.

    Without locations, only the entries of this CA are taken back from a store that has those of several.
    """
    ca_file: Path | None = None
    """The file that `ca` comes from, for a hint that another user can type."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a client still cannot use the registry, whatever localreg writes."""

    what: str
    """A sentence without a subject, in lower case, with the file in question."""
    cure: str
    """The command, a `CommandLine` if that is localreg's, or a `Sentence`."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The changes that one client needs."""

    client: str
    target: Target
    changes: tuple[FileChange, ...] = ()
    """In the order in which they are made; without those that change nothing."""
    files: tuple[Path, ...] = ()
    """The files that hold localreg's entries for the registry after the changes."""
    provided: Mapping[str, str] = field(default_factory=dict)
    """The locations that the client can use without a change, and why: `loopback`, or the path of a file."""
    obstacles: tuple[Obstacle, ...] = ()
    notes: tuple[str, ...] = ()
    """What the user should know, such as that the client must be started again; in lower case, no full stop."""
    cures: tuple[str, ...] = ()
    """The commands that put the changes in force, if localreg does not run them itself."""


class Client(Protocol):
    """One kind of client. Its class takes a `Machine` and has a line in `trust.CLIENTS`."""

    @property
    def name(self) -> str:
        """The word for it on the command line, such as `containerd`."""

    def is_here(self) -> bool:
        """Whether this machine has it; runs no program."""

    def plan(self, target: Target) -> Plan:
        """Plan what it needs; for a target without locations, to take back all that localreg added for it.

        Raises:
            ConfigError: a file of it cannot be read or parsed; it is left alone.
            EngineUnavailableError: it is an engine that does not answer; not for a target without locations.
        """

    def apply(self, plan: Plan) -> None:
        """Make the changes (`changes.make_changes`), and put them in force where that interrupts nothing.

        Raises:
            ConfigError: a file cannot be written, or has changed since the plan was made.
        """

    def check(self, locations: Sequence[str], *, ca: str | None = None) -> Mapping[str, str | None] | None:
        """Ask the client itself whether it can use the registry.

        Args:
            locations: Each `HOST:PORT`.
            ca: As in `Target`.

        Returns:
            By location, why it cannot, as a sentence without a subject, or None if it can. A location that it does not
            tell about is left out; None if it cannot be asked.
        """
