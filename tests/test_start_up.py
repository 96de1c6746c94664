"""What starting costs: which modules a command loads, not how long it takes."""

from __future__ import annotations

import subprocess
import sys

import pytest
from support.engines.real import Bed

HEAVY = {"bcrypt", "docker", "podman", "requests", "tomlkit", "rich", "psutil", "urllib3", "pydantic"}


PROGRAM = """
import sys
from localreg.cli.app import main
code = main(sys.argv[1:])
own = {name for name in sys.modules if name.startswith("localreg.")}
print(*sorted(own | {name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
sys.exit(code)
"""


def loaded_by(*arguments: str) -> set[str]:
    """The top-level modules, and all of localreg's, that are loaded when the program ends."""
    result = subprocess.run([sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=True)
    return set(result.stderr.splitlines()[-1].split())


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], []], ids=" ".join)
def test_asking_for_help_loads_nothing_that_talks_to_an_engine(arguments: list[str]) -> None:
    assert not loaded_by(*arguments) & (HEAVY | {"http", "ssl", "email", "concurrent", "json"})


@pytest.mark.parametrize(
    "command", ["up", "down", "status", "logs", "build", "push", "pull", "tag", "ls", "inspect", "podman-fix", "trust"]
)
def test_no_command_loads_an_sdk_before_it_has_chosen_an_engine(command: str) -> None:
    assert not loaded_by(command, "--help") & {"docker", "podman", "requests", "rich", "pydantic"}


def test_the_interpreter_does_not_look_for_garbage_at_the_end() -> None:
    program = "import atexit, gc; atexit.register(lambda: print(gc.get_count()[0] < gc.get_freeze_count()));"
    program += "from localreg.__main__ import run; run()"
    result = subprocess.run([sys.executable, "-c", program, "--version"], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "True"


@pytest.mark.parametrize("command", ["up", "status", "ls"])
def test_a_command_that_runs_loads_only_the_sdk_of_its_engine(bed: Bed, command: str) -> None:
    bed.up()
    # The engine is not named: finding it loads no SDK of another either.
    result = bed.run(sys.executable, "-c", PROGRAM, command)
    assert result.returncode == 0, result.stderr
    loaded = set(result.stderr.splitlines()[-1].split())
    assert loaded & {"docker", "podman"} == {bed.program}
    assert not loaded & {"pydantic", "rich", "psutil", "tomlkit", "bcrypt"}
    # For registries that require a login.
    assert not loaded & {"localreg.oci.login", "localreg.oci.credentials", "localreg.registry.passwords"}
