"""Commands for several things: how far they are."""

from __future__ import annotations

import pytest

from localreg.cli.batch import refuse_patterns, removing
from localreg.cli.session import Session
from localreg.errors import UsageError


def interrupt_after_one(total: int) -> None:
    with removing(Session(), total) as step:
        step()
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("total", "said"), [(3, "interrupted: 1 of 3 are removed; the same command goes on\n"), (1, "")]
)
def test_after_ctrl_c_a_removal_tells_how_far_it_is(total: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyboardInterrupt):
        interrupt_after_one(total)
    assert capsys.readouterr().err == said


@pytest.mark.parametrize("name", ["team/*", "ap?", "app[12]", "[::1]:5000/team/*"])
def test_a_pattern_is_refused_with_the_hint_of_its_command(name: str) -> None:
    for instead in (None, "other {}".format):
        with pytest.raises(UsageError, match="pull") as caught:
            refuse_patterns(Session(), [name], "pull", instead=instead)
        assert name in str(caught.value)
        assert (caught.value.hint == f"other {name}") is (instead is not None)


def test_an_ipv6_address_is_not_a_pattern() -> None:
    refuse_patterns(Session(), ["[::1]:5000/app"], "pull")
