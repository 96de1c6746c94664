"""What starting costs: which modules a command loads, not how long it takes."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {"docker", "podman", "requests", "tomlkit", "rich", "psutil", "urllib3", "pydantic"}


def loaded_by(*arguments: str) -> set[str]:
    """The top-level modules that are loaded when the program ends."""
    program = (
        "import sys, json\nfrom localreg.cli.app import main\n"
        f"main({list(arguments)!r})\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})), file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(json.loads(result.stderr.splitlines()[-1]))


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], []], ids=" ".join)
def test_asking_for_help_loads_no_sdk(arguments: list[str]) -> None:
    assert not loaded_by(*arguments) & HEAVY


@pytest.mark.parametrize("command", ["up", "down", "status", "logs", "push", "pull", "tag", "ls", "podman-fix"])
def test_no_command_loads_an_sdk_before_it_has_chosen_an_engine(command: str) -> None:
    assert not loaded_by(command, "--help") & {"docker", "podman", "requests", "rich", "pydantic"}
