"""What `prune` decides about a tag, and by which rule of retention."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from localreg.content.pattern import Pattern


class Rule(StrEnum):
    """The rule that decided about a tag or a manifest."""

    UNMATCHED = "unmatched"
    """It does not match."""
    PROTECTED = "protected"
    UNREADABLE = "unreadable"
    """It cannot be read; of a manifest without a tag: something in its repository cannot."""
    NOT_ASKED = "not-asked"
    """Only manifests without a tag were asked for."""
    NO_TIME = "no-push-time"
    NEWEST = "newest"
    """It is among the newest images of its repository."""
    TIE = "tie"
    """It is as new as the last of those."""
    YOUNG = "young"
    """It was pushed too recently."""
    FOLLOWS_STAYING = "subject-stays"
    """It belongs to an image that stays."""
    NO_SUBJECT = "no-subject"
    """It is about an image that the registry does not have, and no age was given."""

    NOT_NEWEST = "not-newest"
    """It is not among the newest images of its repository."""
    OLD = "old"
    """It was pushed long enough ago, and is not among the newest images."""
    FOLLOWS_GOING = "subject-goes"
    """It belongs to images that go."""
    INTERRUPTED = "interrupted"
    """Its removal was interrupted."""
    UNTAGGED = "untagged"
    """No tag leads to it."""


REMOVE = frozenset({Rule.NOT_NEWEST, Rule.OLD, Rule.FOLLOWS_GOING, Rule.INTERRUPTED, Rule.UNTAGGED})
"""The rules by which something goes; by the others it stays."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The wishes of a user. Without `keep`, `before` and `untagged_before`, nothing goes."""

    keep: int | None = None
    """How many images of each repository stay, at least 1."""
    before: datetime | None = None
    """Aware; only tags that were pushed before go."""
    untagged_before: datetime | None = None
    """Aware; manifests without a tag go that were pushed before; None if they stay."""
    match: tuple[Pattern, ...] = ()
    """Only these go; none matches everything."""
    protect: tuple[Pattern, ...] = ()
    """These stay."""

    def matches(self, repository: str, tag: str | None) -> bool:
        """It may go. A manifest without a tag matches no pattern of tags."""
        return not self.match or fits(self.match, repository, tag)

    def protects(self, repository: str, tag: str | None) -> bool:
        """It has to stay."""
        return fits(self.protect, repository, tag)


def fits(patterns: Iterable[Pattern], repository: str, tag: str | None) -> bool:
    """A pattern fits a tag, or a manifest without one; a pattern of some tags fits no such manifest."""
    return any(
        pattern.fits(repository, tag) and (tag is not None or pattern.tag in (None, "*")) for pattern in patterns
    )


@dataclass(frozen=True, slots=True)
class Decision:
    """What happens to a tag, or to a manifest without one."""

    repository: str
    tag: str | None
    """None for a manifest that no tag leads to."""
    digest: str | None
    """None for a tag that cannot be read."""
    pushed: datetime | None
    rule: Rule
    subject: str | None = None
    """The digest that the tag's own name says it is about."""
    reach: int = 0
    """How many manifests it keeps, with those of the tags that follow it: a tag that follows has fewer."""
    freed: int = 0
    """Bytes that are kept by what goes alone; those that several of them keep count at the first one."""

    @property
    def goes(self) -> bool:
        """It is to be removed."""
        return self.rule in REMOVE

    @property
    def key(self) -> tuple[str, str]:
        """The repository, and the tag, or the digest of a manifest without one."""
        return self.repository, self.tag or str(self.digest)
