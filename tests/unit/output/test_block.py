from __future__ import annotations

import pytest

from localreg.output.block import block


def test_facts_stand_in_two_columns() -> None:
    facts = [("engine", "Docker 28.5.2, context `default`"), ("storage", "volume localreg-registry")]
    assert block("Registry 2.8.3 is up at localhost:5000", facts) == (
        "Registry 2.8.3 is up at localhost:5000\n"
        "  engine   Docker 28.5.2, context `default`\n"
        "  storage  volume localreg-registry"
    )


@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_value_that_does_not_fit_goes_on_below_itself(width: int) -> None:
    value = "volume localreg-registry, kept by `localreg down`, and a few words more"
    lines = block("Up", [("storage", value)], width=width).splitlines()
    assert all(len(line) <= width for line in lines)
    assert " ".join(line.replace("storage", "").strip() for line in lines[1:]) == value


def test_a_word_that_is_longer_than_the_line_is_not_cut() -> None:
    path = "/home/somebody/" + "x" * 60
    assert path in block("Up", [("wrote", path)], width=40)
