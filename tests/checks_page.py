"""Writes the table of docs/reference/checks.md from the program itself: `python tests/checks_page.py`."""

from __future__ import annotations

from pathlib import Path

from localreg.doctor.checks import CHECKS

PATH = Path(__file__).parent.parent / "docs" / "reference" / "checks.md"

_HEAD = "| check | makes sure that |\n|---|---|\n"


def render(page: str) -> str:
    """The page with the table of today."""
    before, head, after = page.partition(_HEAD)
    assert head, f"{PATH} has no table"
    rest = after.partition("\n\n")[2]
    rows = "".join(f"| `{check.name}` | {check.summary} |\n" for check in CHECKS)
    return f"{before}{head}{rows}\n{rest}"


if __name__ == "__main__":
    PATH.write_text(render(PATH.read_text()))
