"""The variables of `env` in each shell: what the shell itself makes of them."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence

import pytest

from localreg.cli.other_names import misspelt_variables
from localreg.errors import UsageError
from localreg.output.env import Shell, how_to_use, render, render_unset
from localreg.registry.env import VARIABLES

AWKWARD = {
    "PLAIN": "localhost:5000",
    "QUOTES": """it's "quoted" `here`""",
    "DOLLAR": "$HOME $(id) ${PATH} \\n \\",
    "SIGNS": "a&b|c;d<e>f*g?h~i#j!k%l",
    "SPACES": "  two  spaces ",
    "EMPTY": "",
}

SHELLS = {"bash": Shell.BASH, "dash": Shell.BASH, "zsh": Shell.ZSH, "fish": Shell.FISH}
HERE = [program for program in SHELLS if shutil.which(program)]


def run(program: str, script: str, names: Sequence[str], environment: Mapping[str, str]) -> list[str | None]:
    """Run a script in a shell; returns the variables that a program started from it then has."""
    command = f"{script}\nenv -0\n"
    options = ["-f"] if program == "zsh" else ["--no-config"] if program == "fish" else []
    # fish makes folders in it.
    with tempfile.TemporaryDirectory() as home:
        environment = {"PATH": "/usr/bin:/bin", "HOME": home, **environment}
        done = subprocess.run([program, *options, "-c", command], env=environment, capture_output=True, check=True)
    assert done.stderr == b""
    found = dict(line.split("=", 1) for line in done.stdout.decode().split("\0") if line)
    return [found.get(name) for name in names]


@pytest.mark.parametrize("program", HERE)
def test_a_shell_reads_every_value_as_it_is(program: str) -> None:
    script = render(AWKWARD, SHELLS[program]).plain()
    assert run(program, script, list(AWKWARD), {}) == list(AWKWARD.values())


@pytest.mark.parametrize("program", HERE)
def test_a_shell_takes_them_back(program: str) -> None:
    script = render_unset(list(AWKWARD), SHELLS[program]).plain()
    assert run(program, script, list(AWKWARD), AWKWARD) == [None] * len(AWKWARD)


def test_at_least_the_shell_of_every_system_was_asked() -> None:
    assert "bash" in HERE


VALUES = {"A": "localhost:5000", "B": "it's $x"}


@pytest.mark.parametrize(
    ("shell", "lines"),
    [
        (Shell.POWERSHELL, ["$Env:A = 'localhost:5000'", "$Env:B = 'it''s $x'"]),
        (Shell.CMD, ['set "A=localhost:5000"', """set "B=it's $x\""""]),
        (Shell.DOTENV, ["A=localhost:5000", """B="it's \\$x\""""]),
        (Shell.GITHUB, ["A=localhost:5000", "B=it's $x"]),
    ],
)
def test_other_readers(shell: Shell, lines: list[str]) -> None:
    shown = render(VALUES, shell)
    assert shown.plain().splitlines() == lines
    assert shown.table(80) == shown.plain()
    assert shown.json() == {"variables": VALUES}


@pytest.mark.parametrize(
    ("shell", "line"), [(Shell.POWERSHELL, "Remove-Item Env:A -ErrorAction Ignore"), (Shell.CMD, 'set "A="')]
)
def test_others_take_back(shell: Shell, line: str) -> None:
    shown = render_unset(["A"], shell)
    assert shown.plain() == line
    assert shown.json() == {"variables": {"A": None}}


@pytest.mark.parametrize("shell", [Shell.DOTENV, Shell.GITHUB])
def test_a_file_takes_nothing_back(shell: Shell) -> None:
    with pytest.raises(UsageError):
        render_unset(["A"], shell)


@pytest.mark.parametrize("shell", Shell)
def test_each_reader_has_its_command_line(shell: Shell) -> None:
    assert "localreg --name team env" in how_to_use(shell, "localreg --name team env")


def test_localreg_does_not_take_its_own_variables_for_slips() -> None:
    assert list(misspelt_variables(dict.fromkeys(VARIABLES, "x"))) == []
