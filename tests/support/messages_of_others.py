"""What other programs really said, from tests/messages_of_others.toml."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

PATH = Path(__file__).parent.parent / "messages_of_others.toml"


@dataclass(frozen=True)
class Said:
    """One message."""

    explanation: str
    """The name of the one that is the most special for it."""
    by: str
    """The program, and the release where it is known."""
    text: str
    seen: str = ""
    """Where it was published; empty if the program was run and said it."""


def list_messages() -> list[Said]:
    """Every message, in the order of the file."""
    return [Said(**entry) for entry in tomllib.loads(PATH.read_text())["message"]]
