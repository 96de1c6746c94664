"""Which engines a test runs on: what `make matrix` chooses by, and counts by."""

from __future__ import annotations

import os

import pytest
from support.engines.real import REQUIRED

NONE = "none"
"""Stands for a test that uses no engine, or none by a fixture."""
_DOCKER, _ROOTFUL, _ROOTLESS = REQUIRED
_OF_FIXTURES = {
    "docker": {_DOCKER},
    "docker_with_registry": {_DOCKER},
    "rootful": {_ROOTFUL},
    "rootless": {_ROOTLESS},
    "pair": {_DOCKER, _ROOTLESS},
}


def engines_of(item: pytest.Item) -> set[str]:
    """The names of a test's beds; `none` if it has none."""
    called = item.callspec.params.values() if isinstance(item, pytest.Function) and hasattr(item, "callspec") else ()
    of_parameters = {str(value) for value in called} & set(REQUIRED)
    names = item.fixturenames if isinstance(item, pytest.Function) else []
    return of_parameters.union(*(_OF_FIXTURES.get(name, set()) for name in names)) or {NONE}


def keep_wanted(items: list[pytest.Item]) -> None:
    """Leave out tests that use none of the engines in LOCALREG_ENGINES, and note what the others use."""
    wanted = set(filter(None, os.environ.get("LOCALREG_ENGINES", "").split(",")))
    items[:] = [item for item in items if not wanted or wanted & engines_of(item)]
    for item in items:
        item.user_properties += [("bed", name) for name in sorted(engines_of(item) & (wanted or engines_of(item)))]
