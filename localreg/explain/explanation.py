"""What is known of one error message."""

from __future__ import annotations

from dataclasses import dataclass

from localreg.explain.sayings import Saying
from localreg.system.command_line import CommandLine, Sentence


@dataclass(frozen=True, slots=True)
class Cure:
    """One way to get rid of an error."""

    step: str
    """A `CommandLine` if localreg cures it, a `Sentence` if no command does, else a command of another program."""
    when: str = ""
    """The case that it is for, such as the program that gave the message; empty for every case."""

    @property
    def is_command(self) -> bool:
        """It works as typed, once its words in capitals are replaced."""
        return not isinstance(self.step, Sentence)


@dataclass(frozen=True, slots=True)
class Explanation:
    """An error message of another program."""

    name: str
    """Its stable name, in kebab-case."""
    of: tuple[str, ...]
    """The programs that give it."""
    saying: Saying
    """Recognises it."""
    cause: str
    """One or two sentences."""
    cures: tuple[Cure, ...]
    """The likeliest first."""
    link: str
    """The issue where it is discussed."""

    @property
    def hint(self) -> str:
        """What to do, in one line."""
        first = self.cures[0]
        return CommandLine("doctor", "explain", self.name) if first.when else first.step


def localreg(*words: str, when: str = "") -> Cure:
    """A cure that is a command of localreg."""
    return Cure(CommandLine(*words), when)


def advice(sentence: str, when: str = "") -> Cure:
    """A cure that no command does."""
    return Cure(Sentence(sentence), when)


def issue(repository: str, number: int) -> str:
    """The address of an issue on GitHub."""
    return f"https://github.com/{repository}/issues/{number}"
