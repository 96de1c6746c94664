"""Hints name checks that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import localreg
from localreg.doctor.checks import choose_checks
from localreg.doctor.hint import with_check
from localreg.errors import EngineError, EngineLostError

CODE = Path(localreg.__file__).parent


def test_an_error_without_a_hint_gets_the_check_that_looks_further() -> None:
    assert with_check(EngineLostError("gone")).hint == "localreg doctor engine"
    assert with_check(EngineLostError("gone", hint="systemctl start docker")).hint == "systemctl start docker"
    assert with_check(EngineError("refused")).hint is None


NAMED = sorted(
    {
        tuple(re.findall(r'"([a-z-]+)"', words))
        for path in CODE.rglob("*.py")
        for words in re.findall(r'(?:CommandLine|localreg)\("doctor", ("[^)]*?)(?:, when=[^)]*)?\)', path.read_text())
    }
)


@pytest.mark.parametrize("names", [names for names in NAMED if names[0] not in ("explain", "--report")], ids=" ".join)
def test_a_hint_names_checks_that_there_are(names: tuple[str, ...]) -> None:
    assert len(choose_checks(names)) == len(names)


def test_some_hints_name_checks() -> None:
    assert ("registry", "port") in NAMED
    assert ("port",) in NAMED
