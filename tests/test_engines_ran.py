"""Runs last: no engine that CI has to run may have been left out."""

from __future__ import annotations

import pytest
from beds import REQUIRED


def test_every_engine_was_really_used(request: pytest.FixtureRequest, exercised: set[str]) -> None:
    if request.config.args != request.config.getini("testpaths") or request.config.option.keyword:
        pytest.skip("only a part of the suite was asked for")
    assert exercised == {*REQUIRED, "distribution"}
