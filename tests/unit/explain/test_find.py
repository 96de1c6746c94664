"""What is known of the messages of other programs."""

from __future__ import annotations

import re

import pytest
from support.messages_of_others import Said, list_messages

from localreg.cli.app import main
from localreg.cli.command_list import GROUPS
from localreg.doctor.checks import CHECKS
from localreg.errors import EngineError, LocalregError, RegistryError, UsageError
from localreg.explain.explanation import Explanation
from localreg.explain.find import EXPLANATIONS, explain, with_hint
from localreg.system.command_line import CommandLine, Sentence

MESSAGES = list_messages()
COMMANDS = {name for commands in GROUPS.values() for name in commands}
CHECKED = {check.name for check in CHECKS}

KNOWN = pytest.mark.parametrize("known", EXPLANATIONS, ids=lambda known: known.name)


@pytest.mark.parametrize("said", MESSAGES, ids=lambda said: f"{said.explanation}, {said.by}")
def test_a_real_message_is_recognised(said: Said) -> None:
    assert explain(said.text)[0].name == said.explanation


@KNOWN
def test_each_was_really_said(known: Explanation) -> None:
    assert [said for said in MESSAGES if said.explanation == known.name]


def test_there_are_many_and_each_has_its_own_name() -> None:
    names = [known.name for known in EXPLANATIONS]
    assert len(names) >= 40
    assert len(set(names)) == len(names)


@KNOWN
def test_each_says_what_to_know(known: Explanation) -> None:
    assert re.fullmatch(r"[a-z0-9]+(?:-[a-z0-9]+)*", known.name)
    assert known.of
    assert known.cause.endswith(".")
    assert len(re.findall(r"[.:;](?: |$)", known.cause)) <= 4
    assert known.link.startswith("https://github.com/")


@KNOWN
def test_cures_are_commands_of_localreg_that_exist(known: Explanation) -> None:
    assert known.cures
    for cure in known.cures:
        if isinstance(cure.step, CommandLine):
            words = [word for word in cure.step.words if not word.startswith("-")]
            assert any(word in COMMANDS for word in words), cure.step
            assert main([*cure.step.words, "--help"]) == 0, cure.step
            if words[0] == "doctor":
                assert CHECKED.issuperset(words[1:]), cure.step
        elif isinstance(cure.step, Sentence):
            assert not cure.step.endswith(".")
            assert cure.step[0].islower()


@KNOWN
def test_the_name_of_one_is_a_message_as_well(known: Explanation) -> None:
    assert explain(f"{known.name}\n") == [known]


def test_a_message_among_other_lines_is_found() -> None:
    text = "Getting image source signatures\nCopying blob\nError: no basic auth credentials\n"
    assert [known.name for known in explain(text)] == ["login-missing"]


def test_of_several_the_special_one_is_first() -> None:
    names = [
        known.name for known in explain('Get "http://localhost:5000/v2/": dial tcp [::1]:5000: connection refused')
    ]
    assert names == ["ipv6-refused", "connection-refused"]


@pytest.mark.parametrize("text", ["", "\n", "hello", "exit status 1"])
def test_nothing_is_known_of_other_text(text: str) -> None:
    assert explain(text) == []


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (EngineError("push failed", details=["archive/tar: invalid tar header"]), "update Docker to 23.0 or later"),
        (EngineError("Docker could not start it: port is already allocated"), "localreg doctor explain port-taken"),
        (RegistryError("refused", details=["received unexpected HTTP status: 500 "]), "localreg logs --tail 50"),
        (RegistryError("refused", details=["unauthorized: authentication required"], hint="own"), "own"),
        (UsageError("`connection refused` is not a valid name"), None),
        (LocalregError("nothing that anyone knows"), None),
    ],
)
def test_an_error_without_a_hint_gets_one(error: LocalregError, hint: str | None) -> None:
    assert with_hint(error).hint == hint


def test_an_error_stays_what_it_is() -> None:
    error = RegistryError("refused", details=["too many requests"], status=429)
    found = with_hint(error)
    assert isinstance(found, RegistryError)
    assert (found.status, found.details, found.message) == (429, error.details, "refused")
    assert error.hint is None
