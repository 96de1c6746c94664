"""Writes the messages on docs/reference/errors-of-others.md anew from their table: `python tests/explain_page.py`.

The text around the block is written by hand. A message is shown as a program really said it, where one was run.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

from support.messages_of_others import Said, list_messages

from localreg.explain.answers import ANSWERS
from localreg.explain.configuration import CONFIGURATION
from localreg.explain.engines import ENGINES
from localreg.explain.explanation import Cure, Explanation
from localreg.explain.login import LOGIN
from localreg.explain.names import NAMES
from localreg.explain.reach import REACH
from localreg.explain.tls import TLS

PATH = Path(__file__).parent.parent / "docs" / "reference" / "errors-of-others.md"
GROUPS = {
    "Plain HTTP and certificates": TLS,
    "Logins": LOGIN,
    "Registries that cannot be reached": REACH,
    "Answers": ANSWERS,
    "Names of images": NAMES,
    "Configuration files": CONFIGURATION,
    "Engines and containers": ENGINES,
}
_BLOCK = re.compile(r"(<!-- messages -->\n).*?(?=<!-- end -->)", re.DOTALL)


def render(page: str) -> str:
    """A page with every message in its block."""
    return _BLOCK.sub(lambda found: found[1] + "\n".join(_lines()), page)


def _lines() -> Iterator[str]:
    for heading, group in GROUPS.items():
        yield f"\n## {heading}\n"
        for known in group:
            yield from _section(known)


def _section(known: Explanation) -> Iterator[str]:
    said = [said for said in list_messages() if said.explanation == known.name]
    shown = next((message for message in said if not message.seen), said[0])
    yield f"### {known.name}\n"
    lines = "\n".join(shown.text.splitlines())
    yield f"```text\n{lines}\n```\n"
    yield textwrap.fill(f"{_source(shown)} {known.cause}", 120, break_long_words=False, break_on_hyphens=False) + "\n"
    yield from (f"- {_spoken(cure)}" for cure in known.cures)
    yield f"- discussed at <{known.link}>\n"


def _source(shown: Said) -> str:
    return f"Said by {shown.by}." if not shown.seen else f"Said by {shown.by} ([seen here]({shown.seen}))."


def _spoken(cure: Cure) -> str:
    step = f"`{cure.step}`" if cure.is_command else str(cure.step)
    return f"{cure.when}: {step}" if cure.when else step


if __name__ == "__main__":
    PATH.write_text(render(PATH.read_text()))
