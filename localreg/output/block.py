"""A command's result on a terminal: a sentence, then facts in two aligned columns."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence

from localreg.output.text import home_shortened

_INDENT = "  "
_GLUE = "\0"
"""Stands for a space where a line must not break."""
_NARROWEST_VALUE = 16


def block(headline: str, facts: Sequence[tuple[str, str]] = (), *, width: int = 80) -> str:
    """Lay out a headline and its facts.

    Args:
        headline: The answer to the question.
        facts: Name and value.
        width: Columns of the terminal.
    """
    return "\n".join([fold(headline, width), *aligned(facts, width=width, indent=_INDENT)])


def aligned(facts: Sequence[tuple[str, str]], *, width: int, indent: str = "", local: bool = True) -> list[str]:
    """Lay out facts; a long value continues below itself.

    Args:
        facts: Name and value.
        width: Columns of the terminal.
        indent: Put before each line.
        local: The values are of this machine: a path in the home folder begins with `~`.
    """
    gutter = max((len(name) for name, _ in facts), default=0) + len(_INDENT)
    room = max(width - len(indent) - gutter, _NARROWEST_VALUE)
    lines = []
    for name, value in facts:
        first, *rest = fold(home_shortened(value) if local else value, room).split("\n")
        lines.append(f"{indent}{name:<{gutter}}{first}".rstrip())
        lines += [f"{indent}{'':<{gutter}}{line}" for line in rest]
    return lines


def fold(text: str, width: int, *, indent: str = "") -> str:
    """Break a long line between words. Words and text in backticks stay whole, so that they can be copied.

    Args:
        text: One line.
        width: Columns of the terminal.
        indent: Put before each further line.
    """
    whole = re.sub("`[^`]*`", lambda found: found[0].replace(" ", _GLUE), text)
    filled = textwrap.fill(whole, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return filled.replace(_GLUE, " ")
