"""Writes the table on docs/reference/archives.md anew from what the tests kept: `python tests/archive_page.py`.

The rest of the page is written by hand.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from pathlib import Path

from support.archive_readers import CONTENTS, read_kept

PATH = Path(__file__).parent.parent / "docs" / "reference" / "archives.md"
_BLOCK = re.compile(r"(<!-- readers -->\n).*?(?=<!-- end -->)", re.DOTALL)


def render(page: str) -> str:
    """A page with the outcomes in its block."""
    return _BLOCK.sub(lambda found: f"{found[1]}{_table()}", page)


def _table() -> str:
    notes: dict[str, str] = {}
    rows = [["command", "release", *CONTENTS], ["---"] * (2 + len(CONTENTS)), *_rows(notes)]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([*lines, "", *(f"- {mark}: {reason}" for reason, mark in notes.items()), ""])


def _rows(notes: dict[str, str]) -> Iterator[list[str]]:
    """A row for each command, and another one where a release does otherwise."""
    for command, releases in read_kept().items():
        alike: dict[tuple[str, ...], list[str]] = {}
        for release, outcomes in releases.items():
            alike.setdefault(tuple(_cell(outcomes[content], notes) for content in CONTENTS), []).append(release)
        for cells, found in alike.items():
            yield [f"`{command}`", "; ".join(found), *cells]


def _cell(outcome: str, notes: dict[str, str]) -> str:
    """An outcome in a word; a letter stands for the reason."""
    about, is_refused, reason = outcome.partition("no: ")
    if not is_refused:
        return outcome
    mark = notes.setdefault(reason, string.ascii_lowercase[len(notes)])
    return f"{'image alone' if about else 'no'} ({mark})"


if __name__ == "__main__":
    PATH.write_text(render(PATH.read_text()))
