"""Commands for several things: how far they are."""

from __future__ import annotations

import pytest

from localreg.cli.batch import removing
from localreg.cli.session import Session


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
