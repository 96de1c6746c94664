"""Runs last: no engine that CI has to run may have been left out."""

from __future__ import annotations

import pytest
from support.shared_queue import shared_queue


def test_every_engine_was_really_used(request: pytest.FixtureRequest, exercised: set[str]) -> None:
    alone = request.config.args == request.config.getini("testpaths") and not request.config.option.keyword
    whole = alone or shared_queue()
    # Written out: the fixtures are made from a list that could lose an entry.
    assert exercised == {"docker", "podman-rootful", "podman-rootless", "distribution"} or not whole
