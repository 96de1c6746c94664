"""The rules of `prune`: which tags go, and which stay. docs/reference/retention.md has them as a table.

A tag that a rule keeps stays, also if another one would remove it. A tag that no rule removes stays.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from localreg.content.graph import Graph
from localreg.content.rules import REMOVE, Decision, Rule, Rules
from localreg.registry.volume_layout import TagLink

_REFERRERS_TAG = re.compile(r"sha256-([0-9a-f]{64})(?:\.(?:sig|att|sbom))?", re.ASCII)
"""The tag of an index of referrers, and the tags of cosign 2."""

_Follower = tuple[AbstractSet[str], TagLink]
"""A tag, and the manifests of which one must stay for it to stay."""


def decide(
    graph: Graph,
    rules: Rules,
    *,
    interrupted: AbstractSet[tuple[str, str]] = frozenset(),
    pushed: Mapping[tuple[str, str], datetime | None] | None = None,
) -> tuple[Decision, ...]:
    """Decide about each tag, and about each manifest without one if those are to go.

    Args:
        graph: The registry's content.
        rules: The rules.
        interrupted: The repositories and tags whose removal was interrupted.
        pushed: When each manifest was pushed, by repository and digest.

    Returns:
        By repository, the last push first, then the manifests without a tag. An index is before its parts.
    """
    links: dict[str, list[TagLink]] = {repository: [] for repository, _ in graph.revisions}
    for link in graph.tags.values():
        links.setdefault(link.repository, []).append(link)
    revisions: dict[str, set[str]] = {}
    for repository, digest in graph.revisions:
        revisions.setdefault(repository, set()).add(digest)
    decisions: list[Decision] = []
    for repository in sorted(links):
        found = _Repository(
            graph=graph,
            rules=rules,
            name=repository,
            tags=sorted(links[repository], key=lambda link: link.tag),
            revisions=frozenset(revisions.get(repository, ())),
            interrupted=frozenset(tag for name, tag in interrupted if name == repository),
            pushed=pushed or {},
        )
        decisions += found.decide()
    return tuple(_measured(graph, decisions))


def _measured(graph: Graph, decisions: Sequence[Decision]) -> Iterator[Decision]:
    """The decisions with the bytes that each frees."""
    roots: dict[str, set[str]] = {}
    for decision in decisions:
        if not decision.goes and decision.tag is not None:
            roots.setdefault(decision.repository, set()).update(graph.roots_of(graph.tags[decision.key]))
    counted: set[str] = set()
    for repository, digests in roots.items():
        counted |= graph.blobs_of(repository, graph.manifests_of(repository, digests))
    for decision in decisions:
        if not decision.goes or decision.digest is None:
            yield decision
            continue
        blobs = graph.keeps(decision.repository, decision.digest) - counted
        counted |= blobs
        yield replace(decision, freed=sum(graph.sizes.get(blob, 0) for blob in blobs))


@dataclass(frozen=True, kw_only=True)
class _Repository:
    """One repository, for whose tags the decisions depend on each other."""

    graph: Graph
    rules: Rules
    name: str
    tags: Sequence[TagLink]
    revisions: frozenset[str]
    interrupted: frozenset[str]
    pushed: Mapping[tuple[str, str], datetime | None]

    def decide(self) -> Iterator[Decision]:
        decided: dict[str, Rule] = {}
        candidates: list[TagLink] = []
        waiting: dict[str, _Follower] = {}
        for link in self.tags:
            rule = self._decide_alone(link)
            if rule is not None:
                decided[link.tag] = rule
            elif followed := self._followed(link):
                waiting[link.tag] = followed, link
            else:
                candidates.append(link)
        decided |= self._by_age_and_number(candidates)
        roots = {link.digest for link in self.tags if link.tag in decided and decided[link.tag] not in REMOVE}
        untagged = self._decide_untagged()
        stays = self._spread(
            filter(None, roots), waiting, alone={d for d, rule in untagged.items() if rule not in REMOVE}
        )
        for link in self.tags:
            rule = decided.get(link.tag)
            if rule is None:
                rule = Rule.FOLLOWS_GOING if link.tag in waiting else Rule.FOLLOWS_STAYING
                decided[link.tag] = rule
        for link in sorted(self.tags, key=lambda link: -link.pushed.timestamp() if link.pushed else 0):
            rule, subject = decided[link.tag], self._named_subject(link)
            reach = self._reach(link) if rule in REMOVE else 0
            yield Decision(self.name, link.tag, link.digest, link.pushed, rule, subject, reach)
        if self.rules.untagged_before is not None:
            needed = self.graph.manifests_of(self.name, stays)
            reaches = {digest: len(self._parts(digest)) for digest in untagged}
            for digest in sorted(untagged, key=lambda digest: (-reaches[digest], digest)):
                rule, pushed = untagged[digest], self.pushed.get((self.name, digest))
                rule = Rule.FOLLOWS_STAYING if rule in REMOVE and digest in needed else rule
                yield Decision(self.name, None, digest, pushed, rule, reach=reaches[digest])

    def _decide_alone(self, link: TagLink) -> Rule | None:
        """The rule for a tag that depends on no other tag; None if there is none."""
        subject, rules = self._named_subject(link), self.rules
        follows, is_orphan = subject in self._present, subject is not None and subject not in self._present
        is_old = self._is_old(link)
        checks = (
            (rules.protects(self.name, link.tag), Rule.PROTECTED),
            (not follows and not rules.matches(self.name, link.tag), Rule.UNMATCHED),
            (link.tag in self.interrupted, Rule.INTERRUPTED),
            (not self._is_readable(link), Rule.UNREADABLE),
            (follows, None),
            (rules.keep is None and rules.before is None, Rule.NOT_ASKED),
            (is_orphan and rules.before is None, Rule.NO_SUBJECT),
            (link.pushed is None, Rule.NO_TIME),
            (is_orphan, Rule.OLD if is_old else Rule.YOUNG),
            (bool(self._followed(link)) and rules.before is not None and not is_old, Rule.YOUNG),
        )
        return next((rule for holds, rule in checks if holds), None)

    def _followed(self, link: TagLink) -> AbstractSet[str]:
        """The manifests of which one must stay for a tag to stay; none if it is an image of its own."""
        subject = self._named_subject(link)
        if subject is not None:
            return {subject} & self._present
        return self._owners.get(str(link.digest), frozenset())

    def _by_age_and_number(self, links: Sequence[TagLink]) -> dict[str, Rule]:
        keep = self.rules.keep
        newest: dict[str, float] = {}
        for link in links:
            if link.digest and link.pushed:
                newest[link.digest] = max(link.pushed.timestamp(), newest.get(link.digest, 0))
        ranked = sorted(newest.values(), reverse=True)
        last = None if keep is None else ranked[min(keep, len(ranked)) - 1] if ranked else 0

        def rule_of(link: TagLink) -> Rule:
            time = newest[str(link.digest)]
            if keep is not None and last is not None and time >= last:
                return Rule.TIE if time == last and sum(other >= last for other in ranked) > keep else Rule.NEWEST
            if self.rules.before is None:
                return Rule.NOT_NEWEST
            return Rule.OLD if self._is_old(link) else Rule.YOUNG

        return {link.tag: rule_of(link) for link in links}

    def _decide_untagged(self) -> dict[str, Rule]:
        """The rule for each manifest that no tag leads to, as if no other one depended on it."""
        before = self.rules.untagged_before
        # One that cannot be read may be an index, which needs any of the others.
        is_known = all(map(self._is_whole, self.revisions)) and all(map(self._is_readable, self.tags))

        def rule_of(digest: str) -> Rule:
            pushed = self.pushed.get((self.name, digest))
            if before is None or not self.rules.matches(self.name, None):
                return Rule.UNMATCHED
            if self.rules.protects(self.name, None):
                return Rule.PROTECTED
            if not is_known:
                return Rule.UNREADABLE
            if pushed is None:
                return Rule.NO_TIME
            return Rule.UNTAGGED if pushed < before else Rule.YOUNG

        return {digest: rule_of(digest) for digest in self._untagged}

    def _spread(
        self,
        roots: Iterable[str],
        waiting: dict[str, _Follower],
        *,
        alone: AbstractSet[str] = frozenset(),
    ) -> set[str]:
        """All manifests that stay with some; the tags that stay with them are taken out of `waiting`.

        Args:
            roots: Manifests that stay.
            waiting: Those that follow others.
            alone: Manifests that stay without a tag. The tags of their parts do not stay with them: without those,
                the parts stay nevertheless.
        """
        about = itertools.chain.from_iterable(self.graph.referrers.get((self.name, digest), ()) for digest in alone)
        stays = self.graph.manifests_of(self.name, {*roots, *about}) | alone
        while found := [tag for tag, (followed, _) in waiting.items() if not stays.isdisjoint(followed)]:
            for tag in found:
                _, link = waiting.pop(tag)
                stays |= self.graph.manifests_of(self.name, filter(None, [link.digest]))
        return stays

    @cached_property
    def _untagged(self) -> frozenset[str]:
        """The manifests that no tag leads to."""
        return self.revisions - self.graph.manifests_of(self.name, filter(None, [link.digest for link in self.tags]))

    @cached_property
    def _images(self) -> frozenset[str]:
        """The digests of tags whose names tell of no other image."""
        named = (link.digest for link in self.tags if self._named_subject(link) is None)
        return frozenset(filter(None, named))

    @cached_property
    def _owners(self) -> Mapping[str, AbstractSet[str]]:
        """By manifest, the tagged ones that it is a part of, and its subject if that has no tag."""
        owners: dict[str, set[str]] = {}
        for digest in {link.digest for link in self.tags if link.digest}:
            for part in self._parts(digest) - {digest}:
                owners.setdefault(part, set()).add(digest)
            node = self.graph.nodes.get(digest)
            if node and node.subject in self._untagged:
                owners.setdefault(digest, set()).add(node.subject)
        return owners

    @cached_property
    def _present(self) -> AbstractSet[str]:
        """The manifests that are there; without those of tags that are named after each other in a circle."""
        orphans = {link.digest for subjects, link in self._named.values() if self.revisions.isdisjoint(subjects)}
        return self._spread({*self._images, *self._untagged, *filter(None, orphans)}, dict(self._named))

    @cached_property
    def _named(self) -> Mapping[str, _Follower]:
        """The tags that are named after another manifest."""
        named = ((link, self._named_subject(link)) for link in self.tags)
        return {link.tag: ({subject}, link) for link, subject in named if subject is not None}

    @cached_property
    def _named_after(self) -> Mapping[str, Sequence[str]]:
        """By manifest, the digests of the tags that are named after it."""
        found: dict[str, list[str]] = {}
        for subjects, link in self._named.values():
            for subject in subjects if link.digest else ():
                found.setdefault(subject, []).append(str(link.digest))
        return found

    def _reach(self, link: TagLink) -> int:
        found, left = set[str](), [str(link.digest)]
        while left:
            new = self.graph.manifests_of(self.name, left) - found
            found |= new
            left = [digest for subject in new for digest in self._named_after.get(subject, ())]
        return len(found)

    def _parts(self, digest: str) -> frozenset[str]:
        return frozenset(self.graph.manifests_of(self.name, [digest]))

    @staticmethod
    def _named_subject(link: TagLink) -> str | None:
        """The digest that the name of a tag tells it is about; some images are tagged with their own."""
        found = _REFERRERS_TAG.fullmatch(link.tag)
        subject = f"sha256:{found[1]}" if found else None
        return None if subject == link.digest else subject

    def _is_readable(self, link: TagLink) -> bool:
        return link.digest in self.revisions and self._is_whole(link.digest)

    def _is_whole(self, digest: str) -> bool:
        node = self.graph.nodes.get(digest)
        return node is not None and not node.is_broken

    def _is_old(self, link: TagLink) -> bool:
        return self.rules.before is not None and link.pushed is not None and link.pushed < self.rules.before
