"""Writes docs/reference/cli.md from the program itself: `python tests/cli_reference.py`."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path

from localreg.cli.app import main
from localreg.cli.command_list import ALSO_ALONE, GROUPS, SUBCOMMANDS

PATH = Path(__file__).parent.parent / "docs" / "reference" / "cli.md"

_HEAD = """\
# Command line

Every command also accepts the global options, before or after its name. They are listed once, under
[localreg](#localreg).

This page is generated from the program: `python tests/cli_reference.py`. A test fails if it is out of date.
"""


def help_of(*command: str) -> str:
    """The help of a command, 80 columns wide."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert main([*command, "--help"]) == 0
    return out.getvalue().rstrip()


def names_in_full() -> list[tuple[str, ...]]:
    """Every command that does something, as typed."""
    names = [name for commands in GROUPS.values() for name in commands]
    found: list[tuple[str, ...]] = []
    for name in names:
        found += [(name,)] if name not in SUBCOMMANDS or name in ALSO_ALONE else []
        found += [(name, own) for own in SUBCOMMANDS.get(name, ())]
    return found


def _section(*command: str) -> str:
    return f"### localreg {' '.join(command)}\n\n```text\n{help_of(*command)}\n```\n"


def render() -> str:
    """The whole page."""
    os.environ.update(COLUMNS="80", NO_COLOR="1")
    parts = [_HEAD, f"## localreg\n\n```text\n{help_of()}\n```\n"]
    for group, commands in GROUPS.items():
        parts.append(f"## {group}\n")
        for name in commands:
            parts.append(_section(name))
            parts += [_section(name, own) for own in SUBCOMMANDS.get(name, ())]
    return "\n".join(parts)


if __name__ == "__main__":
    PATH.write_text(render())
