"""Runs last: no engine that CI has to run may have been left out."""

from __future__ import annotations

import pytest
from beds import REQUIRED


def test_every_engine_was_really_used(request: pytest.FixtureRequest, exercised: set[str]) -> None:
    whole = request.config.args == request.config.getini("testpaths") and not request.config.option.keyword
    assert exercised == {*REQUIRED, "distribution"} or not whole
