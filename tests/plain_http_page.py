"""Writes the table on docs/reference/plain-http.md anew: `python tests/plain_http_page.py`.

The rest of the page is written by hand.
"""

from __future__ import annotations

import re
from pathlib import Path

from localreg.clients.plain_http import PROGRAMS, Host

PATH = Path(__file__).parent.parent / "docs" / "reference" / "plain-http.md"
_BLOCK = re.compile(r"(<!-- programs -->\n).*?(?=<!-- end -->)", re.DOTALL)


def render(page: str) -> str:
    """A page with the habits of the programs in its block."""
    return _BLOCK.sub(lambda found: f"{found[1]}{_table()}\n", page)


def _table() -> str:
    rows = [
        ["program", "releases", *(f"`{host}`" if host is not Host.OTHER else host for host in Host), "option"],
        ["---"] * (3 + len(Host)),
    ]
    for program in PROGRAMS:
        option = f"`{program.option}`" if program.option else ""
        rows.append([f"`{program.name}`", program.releases, *(program.answer(host) for host in Host), option])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    PATH.write_text(render(PATH.read_text()))
