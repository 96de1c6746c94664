"""How `make bench` judges what it measured."""

from __future__ import annotations

import re

import pytest
from bench import page
from bench.compare import Comparison, Limit, Target, compare


def comparison(ours: float, peer: float, target: Target) -> Comparison:
    return Comparison("a case", [9, ours, 0, ours, ours], "a peer", [peer, 9, peer, 0, peer], target)


@pytest.mark.parametrize(
    ("ours", "target", "is_met"),
    [
        (1.5, Target(1.5), True),
        (1.51, Target(1.5), False),
        (1.35, Target(1.05, plus=0.3), True),
        (1.36, Target(1.05, plus=0.3), False),
        (0.125, Target(1 / 8), True),
        (0.126, Target(1 / 8), False),
    ],
)
def test_the_median_is_held_against_the_target(ours: float, target: Target, *, is_met: bool) -> None:
    assert comparison(ours, 1, target).is_met == is_met
    assert comparison(ours, 1, target).cells()[-1] == ("yes" if is_met else "**no**")


def test_targets_in_words() -> None:
    for target, numbers in (
        (Target(2), ["2x"]),
        (Target(1, plus=0.3), ["300 ms"]),
        (Target(1.05, plus=0.3), ["1.05x", "300 ms"]),
        (Target(1 / 8), ["8x"]),
    ):
        assert re.findall(r"[0-9.]+(?:x| ms)", str(target)) == numbers
    assert str(Target(1 / 8)) != str(Target(8))


def test_a_row_says_the_median_and_its_range() -> None:
    row = comparison(1.2, 1, Target(1, plus=0.3))
    assert row.cells()[1:4] == ("1.20 s (0.00-9.00)", "`a peer` 1.00 s (0.00-9.00)", "1.20x, +200 ms")


def test_the_worst_run_counts_where_there_is_no_peer() -> None:
    assert Limit("a case", [10, 20], 21, "MB").is_met
    assert not Limit("a case", [10, 21], 21, "MB").is_met


def test_both_take_turns_after_a_turn_that_does_not_count() -> None:
    turns: list[str] = []

    def take(who: str) -> float:
        turns.append(who)
        return len(turns)

    row = compare("a case", lambda: take("ours"), "a peer", lambda: take("peer"), Target(1), rounds=2)
    assert turns == ["ours", "peer"] * 3
    assert (row.ours, row.peer) == ([3, 5], [4, 6])


def test_only_the_section_of_what_was_measured_is_written_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "_versions", lambda: {"localreg": "1.0"})
    first = page.update("", "up", [comparison(1.2, 1, Target(2))])
    both = page.update(first, "push", [comparison(1.3, 1, Target(2))])
    again = page.update(both, "up", [comparison(1.4, 1, Target(2))])
    assert both.index("## Push") < both.index("## Up")
    assert [f"{ours} s" in again for ours in ("1.20", "1.30", "1.40")] == [False, True, True]
    assert page.update(again, "up", [comparison(1.4, 1, Target(2))]) == again
