"""The interface of a tunnel's connection, which is OpenSSH or another program."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

Sight = Literal["answers", "prohibited", "silent"]
"""The registry answers on the other machine; the other machine forbids the check; nothing answers."""

Pause = Callable[[float], None]
"""Waits for a number of seconds or until the link has news; raises an error if the tunnel is to be closed."""


class Link(Protocol):
    """A connection to the other machine, which can be reopened after it broke."""

    notices_its_end: bool
    """It ends by itself if the other machine is lost. Until then, silence means that the connection is busy."""

    def establish(self, pause: Pause) -> None:
        """Open the connection, or the missing parts of it.

        Raises:
            PortTakenError: the other machine's port is in use; open parts stay open for the next attempt.
            LocalregError: the connection cannot be opened; with the cause and a hint.
        """

    def look(self) -> Sight:
        """Check that the registry answers on the other machine."""

    def has_ended(self) -> bool:
        """Whether the connection broke."""

    def ended_because(self) -> str:
        """The reason why it broke, in a few words."""

    def connections(self) -> int | None:
        """How many connections came from the other machine, not counting localreg's; None if unknown."""

    def is_busy(self) -> bool:
        """Whether a client on the other machine is connected."""

    def abort(self) -> None:
        """Make calls in other threads return soon."""

    def close(self) -> None:
        """Close the connection, even if it is only partly open."""
