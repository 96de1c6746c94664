"""Writes docs/reference/faults.md from the tests that show each fault: `python tests/fault_page.py`."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

from fault_table import Fault, faults_of

TESTS = Path(__file__).parent
PATH = TESTS.parent / "docs" / "reference" / "faults.md"

GROUPS = {
    "The engine": ("faults/test_engines.py", "e2e/test_finding_an_engine.py"),
    "Names and ports": ("faults/test_names_and_ports.py", "e2e/test_lifecycle.py"),
    "Images and references": ("faults/test_images.py",),
    "Builds": ("faults/test_builds.py",),
    "The registry": ("faults/test_registries.py", "e2e/test_hanging.py"),
    "Tunnels": ("faults/test_tunnels.py",),
    "Files and settings": ("faults/test_files.py", "e2e/test_podman_fix.py"),
    "Terminal and environment": ("faults/test_surroundings.py",),
}

_HEAD = """\
# Faults

What goes wrong, and what localreg does then. Each row is a test, on Docker and on rootless Podman where the case knows
both. What the row says is what the test checks: the exit code, a part of what is said, no traceback, the time, and that
no process is left behind. Words in capitals stand for what differs. *Seconds* is localreg's own time-out, where one
plays a part; none here is longer than 60. What the exit codes mean: [exit codes](exit-codes.md).

This page is generated from the tests (`python tests/fault_page.py`); a test fails when it is not up to date.
"""
_COLUMNS = "| case | command | says | exit | seconds | test |\n|---|---|---|---|---|---|"


def list_faults(file: str) -> Iterator[tuple[Fault, str]]:
    """The faults of a file of tests, and the name of the test that shows each."""
    path = TESTS / file
    spec = importlib.util.spec_from_file_location(f"faults_of_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, test in vars(module).items():
        for fault in faults_of(test):
            yield fault, name


def _row(fault: Fault, file: str, test: str) -> str:
    seconds = "" if fault.seconds is None else f"{fault.seconds:g}"
    facts = ", ".join(_code(fact.strip()) for fact in fault.facts) or "nothing"
    cells = (fault.case, _code(f"localreg {fault.command}"), facts, str(fault.exit_code), seconds, f"`{file}` `{test}`")
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _code(text: str) -> str:
    """As code, with capitals for what the test fills in."""
    shown = re.sub(r"\{(\w+)\}", lambda name: name.group(1).upper(), text)
    return f"`` {shown} ``" if "`" in shown else f"`{shown}`"


def render() -> str:
    """The whole page."""
    parts = [_HEAD]
    for heading, files in GROUPS.items():
        rows = [_row(fault, file, test) for file in files for fault, test in list_faults(file)]
        parts.append("\n".join([f"## {heading}\n", _COLUMNS, *rows, ""]))
    return "\n".join(parts)


if __name__ == "__main__":
    PATH.write_text(render())
