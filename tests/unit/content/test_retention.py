"""The rules of `prune`, one by one and against each sentence of their table on random registries."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain

import pytest

from localreg.content.graph import Graph, Node
from localreg.content.pattern import read_pattern
from localreg.content.prune import removal_order
from localreg.content.retention import decide
from localreg.content.rules import Decision, Rule, Rules
from localreg.oci.manifest import OCI_INDEX, OCI_MANIFEST, Descriptor
from localreg.registry.volume_layout import TagLink

NOW = datetime(2026, 11, 29, tzinfo=UTC)
DAY = timedelta(days=1)


def digest_of(name: str) -> str:
    return f"sha256:{name.encode().hex():0>64}"


@dataclass
class Content:
    """A registry's content, with names instead of digests."""

    tags: dict[tuple[str, str], TagLink] = field(default_factory=dict)
    revisions: set[tuple[str, str]] = field(default_factory=set)
    nodes: dict[str, Node] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    pushed: dict[tuple[str, str], datetime] = field(default_factory=dict)

    def manifest(
        self,
        name: str,
        *,
        children: tuple[str, ...] = (),
        layers: tuple[str, ...] = (),
        subject: str | None = None,
        repository: str = "app",
        age: float = 30,
    ) -> str:
        digest = digest_of(name)
        blobs = tuple(Descriptor("", digest_of(layer), 10) for layer in layers)
        kind = OCI_INDEX if children else OCI_MANIFEST
        about = digest_of(subject) if subject else None
        self.nodes[digest] = Node(digest, 1, kind, tuple(map(digest_of, children)), blobs, about)
        self.sizes |= {digest: 1, **{blob.digest: 10 for blob in blobs}}
        self.revisions.add((repository, digest))
        self.pushed[repository, digest] = NOW - age * DAY
        return name

    def tag(self, tag: str, name: str | None, *, age: float | None = 30, repository: str = "app") -> None:
        if name is not None and digest_of(name) not in self.nodes:
            self.manifest(name, layers=(f"layer of {name}",), repository=repository)
        pushed = None if age is None else NOW - age * DAY
        digest = None if name is None else digest_of(name)
        self.tags[repository, tag] = TagLink(repository, tag, digest, pushed)

    def decide(
        self,
        *,
        keep: int | None = None,
        days: float | None = None,
        untagged: bool = False,
        match: tuple[str, ...] = (),
        protect: tuple[str, ...] = (),
        interrupted: frozenset[tuple[str, str]] = frozenset(),
    ) -> dict[str, Decision]:
        before = None if days is None else NOW - days * DAY
        patterns = (tuple(map(read_pattern, texts)) for texts in (match, protect))
        rules = Rules(keep, before, (before or NOW - DAY) if untagged else None, *patterns)
        graph = Graph(self.tags, frozenset(self.revisions), self.nodes, self.sizes)
        found = decide(graph, rules, interrupted=interrupted, pushed=self.pushed)
        return {decision.tag or str(decision.digest): decision for decision in found}

    def rules(self, **options: object) -> dict[str, Rule]:
        return {name: decision.rule for name, decision in self.decide(**options).items()}  # type: ignore[arg-type]


@pytest.fixture
def content() -> Content:
    return Content()


def test_ten_tags_of_one_image_are_one(content: Content) -> None:
    for number in range(10):
        content.tag(f"same{number}", "A", age=1)
    content.tag("second", "B", age=2)
    content.tag("third", "C", age=3)
    gone = {name for name, decision in content.decide(keep=2).items() if decision.goes}
    assert gone == {"third"}


def test_each_repository_keeps_its_own(content: Content) -> None:
    content.tag("1", "A", age=1)
    content.tag("2", "B", age=50, repository="other")
    assert set(content.rules(keep=1).values()) == {Rule.NEWEST}


def test_ties_stay(content: Content) -> None:
    for name, age in (("a", 1), ("b", 2), ("c", 2), ("d", 3)):
        content.tag(name, name, age=age)
    assert content.rules(keep=2) == {"a": Rule.NEWEST, "b": Rule.TIE, "c": Rule.TIE, "d": Rule.NOT_NEWEST}


def test_exactly_as_old_stays(content: Content) -> None:
    content.tag("a", "A", age=14)
    content.tag("b", "B", age=14.001)
    assert content.rules(days=14) == {"a": Rule.YOUNG, "b": Rule.OLD}


def test_keep_beats_age_and_age_beats_number(content: Content) -> None:
    for name, age in (("a", 20), ("b", 21), ("c", 3)):
        content.tag(name, name, age=age)
    assert content.rules(keep=2, days=14) == {"c": Rule.NEWEST, "a": Rule.NEWEST, "b": Rule.OLD}
    assert content.rules(keep=1, days=20.5) == {"c": Rule.NEWEST, "a": Rule.YOUNG, "b": Rule.OLD}


def test_an_unknown_time_and_a_tag_that_cannot_be_read_stay(content: Content) -> None:
    content.tag("a", "A", age=None)
    content.tag("b", None)
    content.tag("c", "C")
    wanted = {"a": Rule.NO_TIME, "b": Rule.UNREADABLE, "c": Rule.OLD}
    assert content.rules(days=1) == wanted


def test_unmatched_and_protected_stay_and_are_not_counted(content: Content) -> None:
    for name, age in (("latest", 0), ("v1", 1), ("dev-3", 2), ("dev-2", 3), ("dev-1", 4)):
        content.tag(name, name, age=age)
    found = content.rules(keep=1, match=("*:dev-*", "*:latest"), protect=("*:latest", "*:dev-1"))
    assert found == {
        "latest": Rule.PROTECTED,
        "v1": Rule.UNMATCHED,
        "dev-3": Rule.NEWEST,
        "dev-2": Rule.NOT_NEWEST,
        "dev-1": Rule.PROTECTED,
    }


@pytest.mark.parametrize("suffix", ["", ".sig", ".att", ".sbom"])
def test_a_referrers_tag_follows_its_image_and_is_not_counted(content: Content, suffix: str) -> None:
    for name, age in (("old", 9), ("new", 8)):
        content.tag(name, name, age=age)
        content.tag(f"sha256-{digest_of(name)[7:]}{suffix}", f"s{name}", age=0)
    # A signature of a signature follows as well.
    content.tag(f"sha256-{digest_of('sold')[7:]}.sig", "ss", age=0)
    gone = {name for name, decision in content.decide(keep=1, match=("app:old", "app:new")).items() if decision.goes}
    assert gone == {"old", f"sha256-{digest_of('old')[7:]}{suffix}", f"sha256-{digest_of('sold')[7:]}.sig"}


def test_a_referrers_tag_of_an_image_that_is_not_there_is_judged_by_its_age(content: Content) -> None:
    tag = f"sha256-{digest_of('gone')[7:]}.sig"
    content.tag(tag, "S", age=9)
    assert content.rules(keep=1)[tag] is Rule.NO_SUBJECT
    assert content.rules(days=9)[tag] is Rule.YOUNG
    assert content.rules(days=8)[tag] is Rule.OLD
    assert content.rules(days=8, match=("other",))[tag] is Rule.UNMATCHED


def test_tags_named_after_digests_in_a_circle_stay(content: Content) -> None:
    own = f"sha256-{digest_of('A')[7:]}"
    content.tag(own, "A", age=1)
    content.tag(f"sha256-{digest_of('B')[7:]}", "C", age=9)
    content.tag(f"sha256-{digest_of('C')[7:]}", "B", age=9)
    assert not any(decision.goes for decision in content.decide(keep=1).values())
    content.tag("newer", "D", age=0)
    assert content.rules(keep=1)[own] is Rule.NOT_NEWEST


def test_a_tag_of_a_part_follows_its_index_and_is_not_counted(content: Content) -> None:
    for name, age in (("old", 9), ("new", 8)):
        for part in ("arm", "amd"):
            content.tag(f"{name}-{part}", f"{name}{part}", age=age)
        content.manifest(name, children=(f"{name}arm", f"{name}amd"))
        content.tag(name, name, age=age)
    found = content.rules(keep=1)
    assert found == {
        "old": Rule.NOT_NEWEST,
        "old-arm": Rule.FOLLOWS_GOING,
        "old-amd": Rule.FOLLOWS_GOING,
        "new": Rule.NEWEST,
        "new-arm": Rule.FOLLOWS_STAYING,
        "new-amd": Rule.FOLLOWS_STAYING,
    }
    content.tag("old-arm", "oldarm", age=1)
    assert content.rules(days=5)["old-arm"] is Rule.YOUNG
    assert content.rules(days=5, protect=("app:old",))["old-amd"] is Rule.FOLLOWS_STAYING


def test_a_tagged_artifact_with_a_subject_follows_it(content: Content) -> None:
    content.tag("1", "A", age=9)
    content.manifest("S", subject="A")
    content.tag("sbom-of-1", "S", age=0)
    content.tag("2", "B", age=1)
    assert content.rules(keep=1)["sbom-of-1"] is Rule.FOLLOWS_GOING
    assert content.rules(keep=2)["sbom-of-1"] is Rule.FOLLOWS_STAYING


def test_only_bytes_that_nothing_else_keeps_are_freed_and_the_rows_add_up(content: Content) -> None:
    content.manifest("A", layers=("base", "both", "a"))
    content.manifest("B", layers=("base", "both", "b"))
    content.manifest("C", layers=("base",), repository="other")
    content.tag("a", "A", age=1)
    content.tag("b", "B", age=2)
    content.tag("b-too", "B", age=2)
    content.tag("c", "C", age=0, repository="other")
    found = content.decide(days=0.5)
    assert [found[name].freed for name in ("a", "b", "b-too", "c")] == [21, 11, 0, 0]
    assert content.decide(days=0.5, protect=("app:b-too",))["b"].freed == 0


def test_manifests_without_a_tag_go_but_not_what_stays_needs(content: Content) -> None:
    content.manifest("part")
    content.manifest("index", children=("part",))
    content.tag("1", "index")
    content.manifest("referrer", subject="part")
    content.manifest("old part")
    content.manifest("old index", children=("old part",))
    content.manifest("young part", age=30)
    content.manifest("young index", children=("young part",), age=0.01)
    content.tag(f"sha256-{digest_of('old index')[7:]}.sig", "S")
    found = content.rules(untagged=True)
    assert found == {
        "1": Rule.NOT_ASKED,
        f"sha256-{digest_of('old index')[7:]}.sig": Rule.FOLLOWS_GOING,
        digest_of("old index"): Rule.UNTAGGED,
        digest_of("old part"): Rule.UNTAGGED,
        digest_of("young index"): Rule.YOUNG,
        digest_of("young part"): Rule.FOLLOWS_STAYING,
    }
    names = list(found)
    assert names.index(digest_of("old index")) < names.index(digest_of("old part"))
    for options in ({"match": ("app:1",)}, {"match": ("other",)}, {"protect": ("app",)}):
        assert not any(decision.goes for decision in content.decide(untagged=True, **options).values())  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["B", "C"])
def test_a_manifest_that_cannot_be_read_keeps_those_of_its_repository_without_a_tag(
    content: Content, name: str
) -> None:
    content.manifest("A")
    content.manifest("B", children=("C",))
    content.manifest("C", children=("A",))
    content.tag("1", "B")
    # C was lost: B's tag is whole nevertheless, and what C needed is not known.
    del content.nodes[digest_of(name)]
    assert content.rules(untagged=True)[digest_of("A")] is Rule.UNREADABLE


def test_a_tag_of_an_image_whose_index_goes_is_decided_by_itself(content: Content) -> None:
    content.manifest("part")
    content.manifest("index", children=("part",))
    content.tag("1", "index", age=9)
    content.tag("part", "part", age=9)
    content.tag("stable", "part", age=9)
    found = content.rules(days=5, protect=("app:stable",))
    assert found == {"1": Rule.OLD, "part": Rule.FOLLOWS_GOING, "stable": Rule.PROTECTED}


def test_a_part_of_an_index_without_a_tag_is_an_image_of_its_own(content: Content) -> None:
    content.tag("part", "A", age=9)
    content.manifest("overwritten", children=("A",))
    assert content.rules(days=5) == {"part": Rule.OLD}


def test_an_index_whose_parts_are_those_of_another_goes_without_them(content: Content) -> None:
    for name, age in (("old", 9), ("new", 1)):
        content.manifest("part", layers=("big",))
        content.manifest(name, children=("part",))
        content.tag(name, name, age=age)
    content.tag("part", "part", age=9)
    found = content.decide(days=5)
    assert {name: decision.rule for name, decision in found.items()} == {
        "new": Rule.YOUNG,
        "old": Rule.OLD,
        "part": Rule.FOLLOWS_STAYING,
    }
    assert found["old"].freed == 1


def test_a_tag_that_is_being_written_keeps_the_manifests_of_its_repository(content: Content) -> None:
    content.manifest("A")
    assert content.rules(untagged=True)[digest_of("A")] is Rule.UNTAGGED
    content.tag("1", None)
    assert content.rules(untagged=True)[digest_of("A")] is Rule.UNREADABLE


def test_an_interrupted_removal_is_ended_and_not_counted(content: Content) -> None:
    content.tag("going", "thrown away", age=0)
    content.tag("1", "A", age=1)
    found = content.rules(keep=1, interrupted=frozenset({("app", "going")}))
    assert found == {"going": Rule.INTERRUPTED, "1": Rule.NEWEST}


def random_content(dice: random.Random) -> Content:
    content = Content()
    for repository in ("app", "other"):
        names = [f"{repository[0]}{number}" for number in range(8)]
        for number, name in enumerate(names):
            earlier = names[:number]
            children = tuple(dice.sample(earlier, min(2, number))) if dice.random() < 0.3 else ()
            subject = dice.choice(earlier) if earlier and not children and dice.random() < 0.2 else None
            layers = tuple(f"l{dice.randrange(12)}" for _ in range(2))
            content.manifest(
                name, children=children, layers=layers, subject=subject, repository=repository, age=dice.randrange(40)
            )
        for number in range(7):
            age = None if dice.random() < 0.1 else dice.randrange(40)
            target = None if dice.random() < 0.05 else dice.choice(names)
            content.tag(f"{dice.choice(['v', 'dev-'])}{number}", target, age=age, repository=repository)
        for about in dice.sample([*names, "absent"], 3):
            # A signature, which may have one as well.
            name = f"s{about}"
            for subject in (about, name)[: dice.choice((1, 2))]:
                tag = f"sha256-{digest_of(subject)[7:]}{dice.choice(['', '.sig'])}"
                content.tag(tag, f"s{subject}", age=dice.randrange(40), repository=repository)
    return content


def names_another(tag: str, digest: str | None) -> bool:
    return tag.startswith("sha256-") and f"sha256:{tag[7:71]}" != digest


def random_rules(dice: random.Random) -> Rules:
    keep = dice.choice([None, 1, 2, 4])
    days = dice.choice([None, 5, 20]) if keep else dice.choice([5, 20])
    before = None if days is None else NOW - days * DAY
    return Rules(
        keep,
        before,
        (before or NOW - DAY) if dice.random() < 0.5 else None,
        tuple(map(read_pattern, dice.choice([(), ("*:dev-*",), ("app",)]))),
        tuple(map(read_pattern, dice.choice([(), ("*:v1",), ("other",)]))),
    )


@pytest.mark.parametrize("seed", range(300))
def test_each_sentence_of_the_table_holds_on_random_registries(seed: int) -> None:
    dice = random.Random(seed)
    content, rules = random_content(dice), random_rules(dice)
    graph = Graph(content.tags, frozenset(content.revisions), content.nodes, content.sizes)
    found = decide(graph, rules, pushed=content.pushed)
    assert sorted(content.tags) == sorted((part.repository, part.tag) for part in found if part.tag)
    stays: dict[str, set[str]] = {}
    needed: dict[str, set[str]] = {}
    for repository in ("app", "other"):
        of_it = [part for part in found if part.repository == repository]
        roots = [graph.tags[part.key] for part in of_it if part.tag and not part.goes]
        stays[repository] = graph.manifests_of(repository, filter(None, (link.digest for link in roots)))
        needed[repository] = graph.manifests_of(repository, chain.from_iterable(map(graph.roots_of, roots)))
        check_tags(rules, graph, [part for part in of_it if part.tag], stays[repository])
        digests = {digest for name, digest in content.revisions if name == repository}
        check_untagged(rules, graph, digests, of_it, stays[repository])
        check_number(rules, [part for part in of_it if part.tag])
    # The bytes are those that no tag that stays keeps, each once.
    kept = {blob for name in needed for blob in graph.blobs_of(name, needed[name])}
    gone = [graph.keeps(part.repository, part.digest) for part in found if part.goes and part.digest]
    freed = frozenset().union(*gone) - kept
    assert sum(part.freed for part in found) == sum(graph.sizes[blob] for blob in freed)


def check_tags(rules: Rules, graph: Graph, decisions: list[Decision], stays: set[str]) -> None:
    roots = {part.digest for part in decisions if not part.goes and part.digest}
    for part in decisions:
        tag = str(part.tag)
        follows = names_another(tag, part.digest)
        if not part.goes:
            continue
        # Nothing protected goes, and nothing that cannot be read.
        assert not rules.protects(part.repository, tag)
        assert part.digest is not None
        if follows and part.rule is Rule.FOLLOWS_GOING:
            # A referrer goes only with its image.
            assert f"sha256:{tag[7:71]}" not in stays
            continue
        # Nothing unmatched goes, nothing whose time is unknown, nothing younger, and no part of what stays.
        assert rules.matches(part.repository, tag)
        assert part.pushed is not None
        assert rules.before is None or part.pushed < rules.before
        others = graph.manifests_of(part.repository, roots - {part.digest})
        assert part.rule is not Rule.FOLLOWS_GOING or part.digest not in others


def check_untagged(rules: Rules, graph: Graph, revisions: set[str], decisions: list[Decision], stays: set[str]) -> None:
    removed = {str(part.digest) for part in decisions if part.goes and not part.tag}
    assert rules.untagged_before or not removed
    # No manifest goes that one needs that stays.
    assert not removed & stays
    assert all(not removed & graph.manifests_of(part.repository, revisions - removed) for part in decisions)


def check_number(rules: Rules, decisions: list[Decision]) -> None:
    """Count as the sentence says: distinct digests, by their last push, of what is neither kept before nor follows."""
    counted = {Rule.NEWEST, Rule.TIE, Rule.NOT_NEWEST}
    if rules.keep is None or rules.before is not None:
        return
    last_push: dict[str, datetime] = {}
    for part in decisions:
        if part.rule in counted and part.pushed:
            last_push[str(part.digest)] = max(part.pushed, last_push.get(str(part.digest), part.pushed))
    for part in decisions:
        if part.rule in counted:
            newer = sum(other > last_push[str(part.digest)] for other in last_push.values())
            assert part.goes == (newer >= rules.keep)


@pytest.mark.parametrize("seed", range(300))
def test_wherever_a_run_is_killed_the_same_rules_let_the_rest_go(seed: int) -> None:
    dice = random.Random(seed)
    content, rules = random_content(dice), random_rules(dice)

    def going() -> dict[tuple[str, str], Decision]:
        graph = Graph(content.tags, frozenset(content.revisions), content.nodes, content.sizes)
        return {part.key: part for part in decide(graph, rules, pushed=content.pushed) if part.goes}

    planned = going()
    left = sorted(planned.values(), key=removal_order)
    while left:
        gone = left.pop(0)
        if gone.tag is None:
            content.revisions.remove((gone.repository, str(gone.digest)))
        else:
            del content.tags[gone.key]
        now = going()
        assert {part.key for part in left} <= now.keys()
        # With both options, a young tag of a part outlives its index, and then counts as an image.
        if rules.keep is None or rules.before is None:
            assert {key for key, part in now.items() if part.tag} <= planned.keys()
