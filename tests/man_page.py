"""Writes docs/reference/localreg.1 from the program itself and the reference pages: `python tests/man_page.py`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import typer.main

from localreg import __version__
from localreg.cli.app import app
from localreg.cli.command_list import ALSO_ALONE, GROUPS, SUBCOMMANDS
from localreg.cli.help_page import row

_ROOT = Path(__file__).parent.parent
_REFERENCE = _ROOT / "docs" / "reference"
PATH = _ROOT / "docs" / "reference" / "localreg.1"

_DATE = "2026-11-24"
"""Of the release; changed together with the version."""

_HEAD = f"""\
.\\" Generated from the program: python tests/man_page.py
.TH LOCALREG 1 "{_DATE}" "localreg {__version__}" "User Commands"
.SH NAME
localreg \\- private OCI image registry on your own machine
.SH SYNOPSIS
.B localreg
[\\fIOPTIONS\\fR] \\fICOMMAND\\fR [\\fIARGUMENTS\\fR]
"""
_TAIL = """\
.SH SEE ALSO
.BR docker (1),
.BR podman (1),
.BR containers\\-registries.conf.d (5)
"""


def render() -> str:
    """The whole page."""
    program: Any = typer.main.get_command(app)
    context = program.make_context("localreg", [], resilient_parsing=True)
    shared = [*program.params, program.get_help_option(context)]
    lines = [".SH DESCRIPTION", _paragraphs(program.help), ".SH COMMANDS"]
    for commands in GROUPS.values():
        for name in commands:
            lines += _command(program, context, name)
            if name in ALSO_ALONE:
                for own in SUBCOMMANDS[name]:
                    lines += _command(program, context, f"{name} {own}")
            elif name in SUBCOMMANDS:
                group = program.get_command(context, name)
                within = group.make_context(name, [], parent=context, resilient_parsing=True)
                for own in SUBCOMMANDS[name]:
                    lines += _command(group, within, own)
    lines += [".SH OPTIONS", _text("Every command accepts these, except for --version, before or after its name:")]
    lines += _parameters(shared, context)
    exit_codes = _table(_REFERENCE / "exit-codes.md")
    lines += [".SH EXIT STATUS", *_terms(_merged([(code, when) for code, _, when in exit_codes]))]
    lines += [".SH SETTINGS", _text("In the environment, or by the first name in a file:")]
    lines += _terms(
        (f"{name}, {variable}", f"{values}; by default {default}.")
        for name, variable, values, default, _ in _table(_REFERENCE / "settings.md")
    )
    lines += [".SH ENVIRONMENT", *_terms(_table(_REFERENCE / "environment.md"))]
    files = _REFERENCE / "files.md"
    lines += [".SH FILES", ".SS What it writes", *_terms((file, f"Written by {by}.") for file, by, _ in _table(files))]
    lines += [
        ".SS What it reads",
        *_terms((file, f"Read for: {use}.") for file, use in _table(files, below="## What it reads")),
    ]
    lines += [".SH EXAMPLES", *_examples(program.epilog)]
    return _HEAD + "\n".join(lines) + "\n" + _TAIL


def _command(program: Any, context: Any, name: str) -> Iterator[str]:
    command = program.get_command(context, name)
    own = type(context)(command, info_name=name, parent=context)
    shared = {param.name for param in context.find_root().command.params}
    params = [param for param in command.get_params(own) if param.name not in {*shared, "help"}]
    yield f".SS {_escaped(' '.join([own.command_path, *command.collect_usage_pieces(own)]))}"
    yield _paragraphs(command.help)
    yield from _parameters(params, own)
    yield from (".PP", "Examples:", *_examples(command.epilog))


def _parameters(params: Sequence[Any], context: Any) -> Iterator[str]:
    for found in (row(param, context) for param in params):
        if found:
            term, text, default = found
            yield from _terms([(term, f"{text} [default: {default}]" if default else text)])


def _examples(epilog: str) -> list[str]:
    lines = [line.removeprefix("  ") for line in epilog.splitlines() if line.startswith("  ")]
    return [".nf", ".RS 4", *map(_text, lines), ".RE", ".fi"]


def _terms(records: Any) -> Iterator[str]:
    for term, description in records:
        yield from (".TP", f".B {_escaped(term.replace('`', ''))}", _text(description))


def _table(page: Path, *, below: str = "") -> list[tuple[str, ...]]:
    """The rows of the first table of a page, or of the first below a heading."""
    rows = page.read_text().partition(f"{below}\n")[2].partition("\n|")[2].partition("\n\n")[0].splitlines()[2:]
    return [tuple(cell.strip() for cell in row[1:-1].split("|")) for row in rows]


def _merged(rows: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Rows with the same term as one."""
    terms = dict.fromkeys(term for term, _ in rows)
    return [(term, ";\n".join(text for other, text in rows if other == term) + ".") for term in terms]


def _text(text: str) -> str:
    """A paragraph: code in bold, links without where they lead."""
    plain = re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", text.strip())
    parts = re.split(r"`([^`]+)`", plain)
    marked = [f"\\fB{_escaped(part)}\\fR" if number % 2 else _escaped(part) for number, part in enumerate(parts)]
    return re.sub(r"^([.'])", r"\\&\1", "".join(marked), flags=re.MULTILINE)


def _paragraphs(text: str) -> str:
    return "\n.PP\n".join(_text(paragraph) for paragraph in text.split("\n\n"))


def _escaped(text: str) -> str:
    """What troff shows as it is.

    Raises:
        UnicodeEncodeError: there is more in it than ASCII and `…`.
    """
    for character, escape in (
        ("\\", "\\e"),
        ("-", "\\-"),
        ("'", "\\(aq"),
        ("~", "\\(ti"),
        ("^", "\\(ha"),
        ("…", "..."),
    ):
        text = text.replace(character, escape)
    text.encode("ascii")
    return text


if __name__ == "__main__":
    PATH.parent.mkdir(parents=True, exist_ok=True)
    PATH.write_text(render())
