"""What is offered after TAB where no engine is needed; with engines and shells in tests/e2e."""

from __future__ import annotations

import pytest
import typer

from localreg.cli import complete as completing
from localreg.cli.app import app
from localreg.cli.commands import Commands
from localreg.cli.complete import complete


def offered(*words: str) -> list[str]:
    return [line.partition("\t")[0] for line in complete(app, words).splitlines()]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["pu"], ["push", "pull"]),
        (["--engine", "docker", "pus"], ["push"]),
        (["--engine", ""], ["auto", "docker", "podman"]),
        (["--engine", "p"], ["podman"]),
        (["up", "--pull", ""], ["missing", "always", "never"]),
        (["up", "--eph"], ["--ephemeral"]),
        (["--json", "up", "--rec"], ["--recreate"]),
        (["logs", "--tail", ""], []),
        (["up", ""], []),
        (["nosuch", "x"], []),
        (["completion", ""], ["bash", "zsh", "fish"]),
        (["ci", "--engine", "podman", "g"], ["github", "gitlab"]),
        (["trust", "d"], ["docker"]),
        (["untrust", "docker", "p"], ["podman"]),
        (["tunnel", ""], ["open", "ls", "close"]),
        (["tunnel", "--json", "o"], ["open"]),
        (["tunnel", "open", "--back"], ["--background"]),
        (["tunnel", "nosuch", ""], ["open", "ls", "close"]),
        (["ls", "--format="], ["--format=table", "--format=plain", "--format=json"]),
        (["--engine=p"], ["--engine=podman"]),
        (["--engine=podman", "pus"], ["push"]),
        (["up", "--pull=n"], ["--pull=never"]),
        ([], None),
    ],
)
def test_words_are_offered_by_what_stands_before_them(words: list[str], expected: list[str] | None) -> None:
    found = offered(*words)
    assert "up" in found if expected is None else found == expected


def test_options_are_offered_with_what_they_are_for() -> None:
    lines = complete(app, ["up", "--p"]).splitlines()
    helps = {option: text for option, _, text in (line.partition("\t") for line in lines)}
    assert "HTTP" in helps["--podman-fix"]


def test_registries_are_offered_to_every_command_that_takes_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completing, "_registries", lambda _typed: iter([("team", "")]))
    program = typer.main.get_command(app)
    assert isinstance(program, Commands)
    context = program.make_context("localreg", [], resilient_parsing=True)
    arguments = {
        name: [param.name for param in command.params if param.param_type_name == "argument"]
        for name in program.summaries
        if (command := program.get_command(context, name)) is not None
    }
    named = [name for name, found in arguments.items() if "registry_name" in found]
    assert "gc" in named
    assert {name: offered(name, "") for name in named} == {name: ["team"] for name in named}
