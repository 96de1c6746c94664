"""The options and the plan of `prune`.

A plan has a hash of what goes and of the options. So a plan that was looked at can be carried out later, and exactly
that one.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from localreg.content.pattern import Pattern, read_pattern
from localreg.content.rules import Decision, Rules, fits
from localreg.errors import ConflictError, UsageError
from localreg.system.command_line import CommandLine, Sentence
from localreg.system.moment import parse_duration

PROTECTED = "latest"
"""The pattern that is protected by default."""
UNTAGGED_AGE = timedelta(hours=1)
"""A push stores the parts of an index before the index: younger manifests without a tag may become parts."""
_SHORT = 12
"""Hex digits of a plan's hash that are enough to name it."""
_HASH = re.compile(r"(?:sha256:)?([0-9a-f]{12,64})", re.ASCII)


@dataclass(frozen=True, slots=True)
class PruneOptions:
    """The options of the command."""

    keep: int | None = None
    older_than: str | None = None
    """A duration, such as `14d`."""
    untagged: bool = False
    match: tuple[str, ...] = ()
    protect: tuple[str, ...] = ()
    """An empty one takes `latest` out of those that are protected."""

    @property
    def protected(self) -> tuple[str, ...]:
        """All patterns that are protected."""
        default = () if "" in self.protect else (PROTECTED,)
        return (*default, *filter(None, self.protect))

    @property
    def removes(self) -> bool:
        """Something says what to remove."""
        return self.keep is not None or self.older_than is not None or self.untagged

    def rules(self, now: datetime) -> Rules:
        """The rules at a moment.

        Raises:
            UsageError: no option removes anything, or the duration is not one.
            InvalidReferenceError: a pattern is not valid.
        """
        if not self.removes:
            raise UsageError(
                "nothing says what to remove",
                hint=Sentence("add --keep N, --older-than DURATION or --untagged; `--dry-run` shows what would go"),
            )
        before = None if self.older_than is None else _before(now, parse_duration(self.older_than))
        return Rules(
            self.keep,
            before,
            (before or now - UNTAGGED_AGE) if self.untagged else None,
            tuple(map(read_pattern, self.match)),
            tuple(pattern for text in self.protected for pattern in _read_protected(text)),
        )


def _before(now: datetime, age: timedelta) -> datetime:
    try:
        return now - age
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)


def _read_protected(text: str) -> tuple[Pattern, ...]:
    """A pattern without `:` and `/` protects repositories and tags of that name: users mean both by it."""
    if ":" not in text and "/" not in text:
        return Pattern(text, None, is_glob=True), Pattern("*", text, is_glob=True)
    return (read_pattern(text),)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run of `prune` does."""

    options: PruneOptions
    decisions: tuple[Decision, ...]
    """About each tag, by repository."""

    @property
    def removals(self) -> tuple[Decision, ...]:
        """What goes."""
        return tuple(decision for decision in self.decisions if decision.goes)

    @property
    def freed(self) -> int:
        """Bytes that `gc` frees when all of it is gone."""
        return sum(decision.freed for decision in self.removals)

    @property
    def digest(self) -> str:
        """`sha256:` and 64 hex digits, of what goes and of the options; the time does not count."""
        content = {
            "keep": self.options.keep,
            "older_than": self.options.older_than,
            "untagged": self.options.untagged,
            "match": sorted(self.options.match),
            "protect": sorted(self.options.protected),
            "removals": sorted((part.repository, part.tag or "", part.digest or "") for part in self.removals),
        }
        return f"sha256:{hashlib.sha256(json.dumps(content).encode()).hexdigest()}"

    @property
    def short_digest(self) -> str:
        """`sha256:` and as many hex digits as name the plan."""
        return self.digest[: len("sha256:") + _SHORT]

    @property
    def missing(self) -> tuple[str, ...]:
        """The patterns to match, without wildcards, that fit nothing."""
        return tuple(text for text in self.options.match if self._is_missing(read_pattern(text)))

    @property
    def idle(self) -> tuple[str, ...]:
        """The patterns that the user protects and that fit nothing: a slip in one must not go unseen."""
        typed = {text: _read_protected(text) for text in self.options.protect if text}
        return tuple(text for text, patterns in typed.items() if not self._fits(*patterns))

    def _is_missing(self, pattern: Pattern) -> bool:
        return not pattern.is_glob and not self._fits(pattern)

    def _fits(self, *patterns: Pattern) -> bool:
        return any(fits(patterns, part.repository, part.tag) for part in self.decisions)

    def check(self, wanted: str, *, again: CommandLine) -> None:
        """Refuse a plan that is not the one that the user looked at.

        Args:
            wanted: What `read_hash` returned for that one.
            again: The command that shows the plan.

        Raises:
            ConflictError: it is the hash of another plan.
        """
        if not self.digest.removeprefix("sha256:").startswith(wanted):
            old = " more is old enough by now," if self.options.older_than or self.options.untagged else ""
            message = f"the plan is now {self.short_digest}: the registry has changed,{old} or the options differ"
            raise ConflictError(message, hint=again)


def read_hash(text: str, *, again: CommandLine) -> str:
    """The hex digits of a plan's hash; at least the first 12 are needed.

    Args:
        text: As the user typed it.
        again: The command that shows the plan.

    Raises:
        UsageError: it is not a hash.
    """
    found = _HASH.fullmatch(text)
    if found is None:
        raise UsageError(f"`{text}` is not the hash of a plan", hint=again)
    return found[1]
