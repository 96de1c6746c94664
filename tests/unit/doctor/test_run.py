"""Checks run side by side, are told in their order, and whatever happens to one is a finding of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from localreg.doctor.check import Check, NotNeededError, NotPossibleError
from localreg.doctor.checks import CHECKS, choose_checks
from localreg.doctor.finding import Finding, Severity
from localreg.doctor.run import Run
from localreg.doctor.scene import Scene
from localreg.errors import EngineLostError, UsageError

SCENE = Scene("registry")


def quiet(_scene: Scene) -> list[Finding]:
    return []


def test_each_outcome_comes_in_the_order_of_the_checks() -> None:
    released = threading.Event()

    def waits(_scene: Scene) -> Iterator[Finding]:
        assert released.wait(10)
        yield Finding("a", "b")

    def releases(_scene: Scene) -> Iterator[Finding]:
        # The first can end only because this one runs beside it.
        released.set()
        yield Finding("c", "d", severity=Severity.WARNING)

    run = Run([Check("one", "", waits), Check("two", "", releases)], SCENE)
    assert run.waiting_for == ["one", "two"]
    found = list(run.outcomes())
    assert [(one.check.name, one.findings[0].what, one.is_well) for one in found] == [
        ("one", "a", False),
        ("two", "c", True),
    ]
    assert run.waiting_for == []


def test_an_outcome_does_not_wait_for_those_after_it() -> None:
    released = threading.Event()

    def waits(_scene: Scene) -> list[Finding]:
        assert released.wait(10)
        return []

    run = Run([Check("quick", "", quiet), Check("slow", "", waits)], SCENE)
    outcomes = run.outcomes()
    assert next(outcomes).check.name == "quick"
    assert run.waiting_for == ["slow"]
    released.set()
    assert [one.check.name for one in outcomes] == ["slow"]


def test_a_check_that_crashes_is_a_finding_of_it() -> None:
    def crashes(_scene: Scene) -> list[Finding]:
        raise ZeroDivisionError("of the test")

    crashed, other = Run([Check("bad", "", crashes), Check("good", "", quiet)], SCENE).outcomes()
    (finding,) = crashed.findings
    assert finding.what == "the check `bad` failed: ZeroDivisionError: of the test"
    assert "localreg doctor --report" in finding.cures[0]
    assert other.findings == ()


def test_an_error_of_localreg_keeps_its_hint_and_its_details() -> None:
    def fails(_scene: Scene) -> list[Finding]:
        raise EngineLostError("gone", hint="systemctl start docker", details=["EOF"])

    ((finding,),) = (one.findings for one in Run([Check("bad", "", fails)], SCENE).outcomes())
    assert (finding.what, finding.cures, finding.details) == ("gone", ("systemctl start docker",), ("EOF",))


def test_a_check_that_hangs_is_a_finding_and_holds_up_nothing() -> None:
    released = threading.Event()

    def hangs(_scene: Scene) -> list[Finding]:
        released.wait(10)
        return []

    hung, other = Run([Check("hung", "", hangs), Check("good", "", quiet)], SCENE, seconds=0.05).outcomes()
    released.set()
    assert "did not end within" in hung.findings[0].what
    assert other.findings == ()


@pytest.mark.parametrize("error", [NotNeededError, NotPossibleError])
def test_a_check_without_an_object_says_why(error: type[Exception]) -> None:
    def leaves_out(_scene: Scene) -> list[Finding]:
        raise error("it is not there")

    (outcome,) = Run([Check("x", "", leaves_out)], SCENE).outcomes()
    assert {outcome.not_needed, outcome.not_possible} == {"it is not there", None}
    assert outcome.findings == ()


def test_more_checks_than_threads_are_all_made() -> None:
    checks = [Check(str(number), "", quiet) for number in range(50)]
    assert [one.check.name for one in Run(checks, SCENE).outcomes()] == [check.name for check in checks]


def test_the_slow_ones_come_last() -> None:
    slow = [check.is_slow for check in CHECKS]
    assert slow == sorted(slow)
    assert any(slow)


def test_a_check_is_chosen_by_its_name() -> None:
    assert [check.name for check in choose_checks(["tags", "port"])] == ["port", "tags"]
    assert choose_checks([]) == list(CHECKS)
    with pytest.raises(UsageError) as caught:
        choose_checks(["prot"])
    assert caught.value.hint == "localreg doctor port"
