"""Patterns of repositories and tags, as `ls`, `du`, `rm` and `prune` take them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from localreg.errors import InvalidReferenceError
from localreg.oci.reference import parse_reference, registry_reference
from localreg.system.command_line import CommandLine


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern of repositories and tags."""

    repository: str
    tag: str | None
    """The pattern of tags; None for every tag."""
    is_glob: bool

    def __str__(self) -> str:
        return self.repository if self.tag is None else f"{self.repository}:{self.tag}"

    def fits(self, repository: str, tag: str | None = None) -> bool:
        """It matches a repository, and a tag if one is given."""
        if not fnmatchcase(repository, self.repository):
            return False
        return tag is None or self.tag is None or fnmatchcase(tag, self.tag)


def is_glob(text: str) -> bool:
    """It has a wildcard."""
    return any(character in text for character in "*?[")


def registry_in_pattern(pattern: str) -> str | None:
    """The registry that a pattern begins with; None if it names none, or only Podman's `localhost`."""
    first, slash, _ = pattern.partition("/")
    return first if slash and any(mark in first for mark in ":.") and not is_glob(first.lstrip("[")) else None


def read_pattern(text: str) -> Pattern:
    """Read a pattern, without the registry that it may begin with.

    Raises:
        InvalidReferenceError: it has a digest, or it has no wildcards and is not a valid reference.
    """
    if "@" in text:
        raise InvalidReferenceError(
            f"`{text}` has a digest; a pattern is of repositories and tags", hint=CommandLine("inspect", text)
        )
    wanted = text.removeprefix(f"{registry_in_pattern(text) or 'localhost'}/")
    if is_glob(wanted):
        repository, colon, tag = wanted.partition(":")
        return Pattern(repository, tag if colon else None, is_glob=True)
    named = parse_reference(text)
    return Pattern(registry_reference(named, registry="").repository, named.tag, is_glob=False)


def choose(tags: Iterable[tuple[str, str]], wanted: Sequence[Pattern]) -> tuple[list[tuple[str, str]], tuple[str, ...]]:
    """The tags that fit a pattern, in order, and the patterns without wildcards that no tag fits."""
    chosen = sorted(tag for tag in tags if not wanted or any(pattern.fits(*tag) for pattern in wanted))
    exact = [pattern for pattern in wanted if not pattern.is_glob]
    return chosen, tuple(str(pattern) for pattern in exact if not any(pattern.fits(*tag) for tag in chosen))
