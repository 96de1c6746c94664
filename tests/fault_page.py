"""Writes the messages on docs/reference/faults.md anew from the tests: `python tests/fault_page.py`.

The rest of the page is written by hand. `<!-- shows: CASE ... -->` begins a block with the kept screen of each fault,
and `<!-- end -->` ends it. `<!-- covers: CASE ... -->` names faults that the text around it describes. With `--tests`
it prints which test shows each fault instead.
"""

from __future__ import annotations

import importlib.util
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from support.faults.table import Fault, faults_of
from support.terminals.kept_screens import A_PORT, kept_lines

TESTS = Path(__file__).parent
PATH = TESTS.parent / "docs" / "reference" / "faults.md"

_BLOCK = re.compile(r"(<!-- shows: ([^>]*) -->\n).*?(?=<!-- end -->)", re.DOTALL)
_NAMED = re.compile(r"<!-- (?:shows|covers): ([^>]*) -->")
_COLUMNS = 80


def list_faults() -> Iterator[tuple[Fault, str]]:
    """Every fault that a test shows, and the name of the test for pytest."""
    for fault, name, _ in list_fault_tests():
        yield fault, name


def list_fault_tests() -> Iterator[tuple[Fault, str, Any]]:
    """The same, and the test."""
    for path in sorted(TESTS.rglob("test_*.py")):
        if not re.search("^@fault", path.read_text(), re.MULTILINE):
            continue
        spec = importlib.util.spec_from_file_location(f"faults_of_{path.stem}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for name, test in vars(module).items():
            for fault in faults_of(test):
                yield fault, f"tests/{path.relative_to(TESTS)}::{name}", test


def named_on(page: str) -> list[str]:
    """The cases that a page names, in its order."""
    return [case for names in _NAMED.findall(page) for case in names.split()]


def render(page: str) -> str:
    """A page with what the tests say of each fault in its blocks."""
    faults = {fault.case: fault for fault, _ in list_faults()}
    return _BLOCK.sub(lambda found: found[1] + _block(found[2].split(), faults), page)


def _block(cases: list[str], faults: Mapping[str, Fault]) -> str:
    parts = []
    for outcome, alike in groupby((faults[case] for case in cases), key=_outcome):
        screens = "\n".join(map(_screen, alike))
        parts.append(f"```text\n{screens}```\n\n{outcome}\n")
    return "\n".join(parts)


def _outcome(fault: Fault) -> str:
    code = f" (`{fault.code}`)" if fault.code else ""
    seconds = f" within {fault.seconds:g} seconds" if fault.seconds else ""
    return f"Exit code {fault.exit_code}{code}{seconds}."


def _screen(fault: Fault) -> str:
    """The command and its output, or the command alone if no screen of it is kept."""
    command = re.sub(r"\{(\w+)\}", lambda name: name[1].upper(), fault.command.replace("{port}", A_PORT))
    lines = kept_lines(fault.screen) if fault.screen else []
    return "".join(f"{line}\n" for line in [f"$ localreg {command}", *(_folded(line) for line in lines)])


def _folded(line: str) -> str:
    indent = line[: len(line) - len(line.lstrip())] + "  "
    return textwrap.fill(line, _COLUMNS, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


if __name__ == "__main__":
    if "--tests" in sys.argv:
        sys.stdout.writelines(f"{fault.case:<30} {test}\n" for fault, test in list_faults())
    else:
        PATH.write_text(render(PATH.read_text()))
