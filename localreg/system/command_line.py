"""Hints: a command of localreg as a person types it, or a sentence."""

from __future__ import annotations

from typing import Self


class CommandLine(str):
    """A localreg command that works as typed: `CommandLine("up", "--recreate")` is `localreg up --recreate`.

    Args:
        words: The words after `localreg`, each quoted for the shell if it needs to be.
    """

    __slots__ = ("words",)
    words: tuple[str, ...]

    def __new__(cls, *words: str) -> Self:
        """Join the words."""
        import shlex  # noqa: PLC0415 -- help starts without it

        line = super().__new__(cls, shlex.join(["localreg", *words]))
        line.words = words
        return line

    def for_registry(self, *, engine: str | None, name: str | None) -> CommandLine:
        """The same command for this engine and this registry, unless it names others itself.

        Args:
            engine: The engine; None for the one that localreg chooses.
            name: The registry; None for the one of the usual name.
        """
        if self.words[-1:] == ("--help",):
            return self
        has = {word.partition("=")[0] for word in self.words}
        options = {"--engine": engine, "--name": name}
        missing = [(option, value) for option, value in options.items() if value is not None and option not in has]
        return CommandLine(*(word for pair in missing for word in pair), *self.words)


def as_root(*words: str) -> str:
    """The same command, run by root, whose PATH may not include localreg."""
    import shlex  # noqa: PLC0415 -- help starts without it

    return f'sudo "$(command -v localreg)" {shlex.join(words)}'


class Sentence(str):
    """A hint in words, which a terminal folds. It never folds another hint: that is a command to copy."""

    __slots__ = ()
