"""The layout of a help page, for wide and narrow terminals."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from typing import Any

GLOBAL = "Global options"
"""The heading of the options that every command accepts."""
_NARROW = 60
"""Below this many columns, an explanation starts on the line after its option. Click needs at least 52."""

_NARROWEST = 10
"""Columns that an explanation always gets."""

Row = tuple[str, str, str | None]
"""An option, an argument or a command; what it does; its default."""


def width() -> int | None:
    """Columns of a terminal that is too narrow for Click's own layout; None for any other."""
    columns = shutil.get_terminal_size().columns
    return columns if columns < _NARROW else None


def row(parameter: Any, context: Any) -> Row | None:
    """Describe an option or an argument; None if it is hidden. Typer's own text puts defaults in parentheses."""
    record = parameter.get_help_record(context)
    if record is None:
        return None
    text = "Show help for localreg or for a command" if parameter.name == "help" else str(parameter.help)
    return str(record[0]), text, _default_of(parameter)


def _default_of(parameter: Any) -> str | None:
    if isinstance(parameter.show_default, str):
        return parameter.show_default
    if not parameter.show_default or not parameter.default:
        return None
    return f"{parameter.default:g}" if isinstance(parameter.default, float) else str(parameter.default)


def usage(pieces: Iterable[str]) -> list[str]:
    """Remove the braces that Typer puts around a required argument."""
    return [piece.strip("{}") for piece in pieces]


def write_parameters(formatter: Any, heading: str, parameters: Iterable[Any], context: Any) -> None:
    """Write a section of options or arguments; nothing if there are none."""
    write_rows(formatter, heading, [found for found in (row(param, context) for param in parameters) if found])


def write_rows(formatter: Any, heading: str, rows: Sequence[Row]) -> None:
    """Write a section of terms and their explanations; nothing if there are none."""
    if not rows:
        return
    widest = 10 if formatter.width < _NARROW else 30
    column = min(max(len(term) for term, _, _ in rows), widest) + 2
    with formatter.section(heading):
        for term, text, default in rows:
            first, *more = _lines(text, default, max(formatter.width - formatter.current_indent - column, _NARROWEST))
            lines = [f"{term:{column}}{first}"] if len(term) <= column - 2 else [term, " " * column + first]
            lines += [" " * column + line for line in more]
            formatter.write("".join(f"{'':{formatter.current_indent}}{line}\n" for line in lines))


def _lines(text: str, default: str | None, columns: int) -> list[str]:
    """Fold an explanation; the default starts a new line unless all of it fits on the last one."""
    import textwrap  # noqa: PLC0415 -- only help needs it

    lines = textwrap.wrap(text, columns)
    if default is not None:
        shown = f"[default: {default}]"
        if len(lines[-1]) + 1 + len(shown) <= columns:
            lines[-1] += f" {shown}"
        else:
            lines += textwrap.wrap(shown, columns)
    return lines


def write_global_names(formatter: Any, parameters: Iterable[Any], program: str) -> None:
    """Write the global options by name only: the help of the program explains them."""
    names = [min(parameter.opts, key=len) for parameter in parameters]
    with formatter.section(f"{GLOBAL} (see {program} --help)"):
        formatter.write_text(" ".join(names))


def examples(*lines: str) -> str:
    """The end of a command's help: examples, each on a line of its own."""
    return "Examples:\n" + "\n".join(f"  {line}" for line in lines)


def write_examples(formatter: Any, epilog: str | None) -> None:
    """Write examples without folding them, so that they can be copied."""
    if epilog:
        formatter.write_paragraph()
        formatter.write(f"{epilog}\n")
