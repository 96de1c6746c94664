"""What makes a tunnel, as the supervisor sees it: OpenSSH, or a program that was given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

Sight = Literal["answers", "prohibited", "silent"]
"""The registry answers from the far side; the far side does not let us look; nothing answers."""

Pause = Callable[[float], None]
"""Waits so many seconds, or until the link has news; raises when the tunnel is to be closed."""


class Link(Protocol):
    """One way to the far side, which can be opened again after it has broken."""

    notices_its_end: bool
    """It ends by itself when the far side is gone: as long as it has not, silence means that the line is busy."""

    def establish(self, pause: Pause) -> None:
        """Open it, as far as it is not open.

        Raises:
            PortTakenError: the far side's port is taken; what is open stays open for the next attempt.
            LocalregError: it cannot be opened; with the cause and its cure.
        """

    def look(self) -> Sight:
        """Ask the registry from the far side."""

    def has_ended(self) -> bool:
        """Whether it broke."""

    def ended_because(self) -> str:
        """Why it broke, in a few words."""

    def connections(self) -> int | None:
        """How many connections from the far side it has seen, without our own; None where it cannot tell."""

    def is_busy(self) -> bool:
        """Whether somebody on the far side is connected now."""

    def abort(self) -> None:
        """Have what is under way end soon; any thread may ask for it."""

    def close(self) -> None:
        """Close it, however far it got."""
