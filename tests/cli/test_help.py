"""The help of the program and of each command, in narrow and wide terminals; TAB completion of global options."""

from __future__ import annotations

import re

import cli_reference
import pytest

from localreg.cli.app import app
from localreg.cli.command_list import GROUPS, SUBCOMMANDS
from localreg.cli.complete import complete

COMMANDS = [*((name,) for commands in GROUPS.values() for name in commands), *cli_reference.names_in_full()]
EVERY = sorted({(), *COMMANDS})
GLOBAL = ["--engine", "--name", "--format", "--json", "--quiet", "--debug"]


@pytest.mark.parametrize("columns", [10, 40, 80, 200])
@pytest.mark.parametrize("command", EVERY, ids=" ".join)
def test_help_fits_the_terminal(monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], columns: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    page, _, examples = cli_reference.help_of(*command).partition("\nExamples:\n")
    if columns >= 40:
        assert [line for line in page.splitlines() if len(line) > columns] == []
    # Examples are not folded, so that they can be copied.
    assert [line for line in examples.splitlines() if len(line) > 80] == []


@pytest.mark.parametrize("command", EVERY, ids=" ".join)
def test_help_is_for_people(monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    page = cli_reference.help_of(*command)
    for typers_own in (r"\{[A-Z]", r"default: \(", "<=x", "x>=", r"--\S+ <", r"\[required"):
        assert not re.search(typers_own, page), typers_own
    assert re.search(r"\n\nExamples:\n(  .*\n?)+$", page)


@pytest.mark.parametrize("command", EVERY, ids=" ".join)
def test_global_options_are_explained_once_and_named_everywhere(
    monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    own, _, shared = cli_reference.help_of(*command).partition("\nGlobal options")
    shared = shared.partition("\n\n")[0]
    assert [name for name in GLOBAL if re.search(rf"^  (-., )?{name}\b", own, re.MULTILINE)] == []
    if command:
        heading, options = shared.splitlines()
        assert "localreg --help" in heading
        assert options.split() == ["--engine", "--name", "--format", "--json", "-q", "--debug", "-h"]
    else:
        explained = [re.search(rf"^  (-., )?{name}\b.*  \w", shared, re.MULTILINE) for name in GLOBAL]
        assert all(explained)


@pytest.mark.parametrize("command", EVERY, ids=" ".join)
def test_global_options_are_completed_after_every_command(command: tuple[str, ...]) -> None:
    offered = [line.partition("\t")[0] for line in complete(app, [*command, "--"]).splitlines()]
    assert [name for name in [*GLOBAL, "--help"] if name not in offered] == []


def test_every_group_with_subcommands_lists_them() -> None:
    for name, summaries in SUBCOMMANDS.items():
        page = cli_reference.help_of(name)
        for one, summary in summaries.items():
            assert re.search(rf"^  {one} +{summary}$", page, re.MULTILINE)
