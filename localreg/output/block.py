"""A command's result on a terminal: a sentence, then facts in two aligned columns."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

_INDENT = "  "
_NARROWEST_VALUE = 16


def block(headline: str, facts: Sequence[tuple[str, str]] = (), *, width: int = 80) -> str:
    """Lay out a headline and its facts.

    Args:
        headline: The answer to the question.
        facts: Name and value; a value that does not fit goes on below itself, words are never cut.
        width: Columns of the terminal.
    """
    gutter = max((len(name) for name, _ in facts), default=0) + len(_INDENT)
    room = max(width - len(_INDENT) - gutter, _NARROWEST_VALUE)
    lines = [headline]
    for name, value in facts:
        first, *rest = textwrap.wrap(value, room, break_long_words=False, break_on_hyphens=False) or [""]
        lines.append(f"{_INDENT}{name:<{gutter}}{first}")
        lines += [f"{_INDENT}{'':<{gutter}}{line}" for line in rest]
    return "\n".join(lines)
