from __future__ import annotations

import pytest

from localreg.system.command_line import CommandLine


def test_a_command_is_text_that_a_shell_takes() -> None:
    assert CommandLine("up", "--recreate") == "localreg up --recreate"
    assert CommandLine("push", "my image", "--as", "NAME:TAG") == "localreg push 'my image' --as NAME:TAG"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("up",), "localreg --engine podman --name team up"),
        (("--name", "OTHER", "up"), "localreg --engine podman --name OTHER up"),
        (("ci", "shell", "--engine=docker"), "localreg --name team ci shell --engine=docker"),
        (("push", "--named", "--engineering"), "localreg --engine podman --name team push --named --engineering"),
        (("up", "--help"), "localreg up --help"),
    ],
)
def test_a_command_is_for_the_engine_and_the_registry_that_were_named(words: tuple[str, ...], told: str) -> None:
    command = CommandLine(*words).for_registry(engine="podman", name="team")
    assert command == told
    assert command.for_registry(engine="podman", name="team") == told


def test_without_an_engine_or_a_name_a_command_stays_as_it_is() -> None:
    assert CommandLine("up").for_registry(engine=None, name=None) == "localreg up"
