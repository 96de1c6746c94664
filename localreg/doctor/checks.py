"""The table of all checks, in the order in which their findings are told: the slow ones last."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from localreg.doctor.check import Check
from localreg.doctor.engine import check_engine
from localreg.doctor.registry import check_registry
from localreg.errors import UsageError
from localreg.system.command_line import CommandLine

CHECKS = (
    Check("engine", "a container engine answers", check_engine),
    Check("registry", "the registry runs, answers and is set up as it should be", check_registry),
)


def choose_checks(names: Sequence[str]) -> list[Check]:
    """The checks of these names; all if there are none.

    Raises:
        UsageError: there is no such check.
    """
    by_name = {check.name: check for check in CHECKS}
    for name in names:
        if name not in by_name:
            near = difflib.get_close_matches(name, by_name, n=1)
            raise UsageError(f"unknown check `{name}`", hint=CommandLine("doctor", *(near or ["--list"])))
    return [check for check in CHECKS if not names or check.name in names]
