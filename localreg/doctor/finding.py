"""What a check found, and how to cure it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a finding matters."""

    PROBLEM = "problem"
    """Something does not work."""
    WARNING = "warning"
    """Everything works, but that may end."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong, in words for the user."""

    what: str
    """A sentence, in lower case, no full stop, literals in backticks."""
    why: str
    """The consequence, written in the same way."""
    cures: tuple[str, ...] = ()
    """The commands that cure it, in their order: each a `CommandLine` if it is localreg's, or a `Sentence`."""
    is_safe: bool = False
    """The commands can be undone and interrupt nothing, so that localreg may run them."""
    severity: Severity = Severity.PROBLEM
    details: tuple[str, ...] = ()
    """More lines, such as the engine's own message."""
    cause: str | None = None
    """Its cause if another check can find it as well: only the first of them tells it."""
