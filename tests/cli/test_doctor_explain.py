"""`doctor explain`."""

from __future__ import annotations

import io
import json
import sys

import pytest
from support import schemas

from localreg.cli.app import main

MESSAGE = 'Get "http://localhost:5000/v2/": dial tcp [::1]:5000: connect: connection refused'


def feed(monkeypatch: pytest.MonkeyPatch, text: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))


def test_the_special_one_comes_first(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "explain", MESSAGE, "--json"]) == 0
    found = schemas.check("doctor-explain", capsys.readouterr().out)["explanations"]
    assert [known["name"] for known in found] == ["ipv6-refused", "connection-refused"]
    assert found[0]["cures"][0] == {"step": "localreg status", "is_command": True, "when": None}


def test_plain_and_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "explain", "no", "basic", "auth", "credentials"]) == 0
    name, cause, cure = capsys.readouterr().out.rstrip("\n").split("\t")
    assert (name, cure) == ("login-missing", "localreg login")
    assert cause.startswith("The registry requires a login")
    assert main(["doctor", "explain", "-q", MESSAGE]) == 0
    assert capsys.readouterr().out == "ipv6-refused\nconnection-refused\n"


def test_a_terminal_shows_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "explain", "port-taken", "--format", "table"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "Another program or container has this port. On macOS, AirPlay Receiver has port",
        "5000.",
        "  cure     `localreg doctor port` (to see which one)",
        "  or       `localreg up` (to take the next free port)",
        "  said by  docker, podman",
        "  name     port-taken",
        "  see      https://github.com/moby/moby/issues/27158",
    ]


def test_a_terminal_shows_the_cures_of_the_first_and_names_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "explain", MESSAGE, "--format", "table"]) == 0
    first, other = capsys.readouterr().out.split("\n\n")
    assert "cure     `localreg status`" in first
    assert other.startswith("Or: Nothing listens at that address.")
    assert other.endswith("  more  `localreg doctor explain connection-refused`\n")


def test_a_message_can_be_pasted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    feed(monkeypatch, b"no basic auth credentials\n")
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    assert main(["doctor", "explain", "--format", "table"]) == 0
    out, err = capsys.readouterr()
    assert err == "paste the message, then press Enter and Ctrl-D\n"
    assert out.startswith("The registry requires a login")


def test_commands_are_for_the_registry_that_was_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--name", "team", "doctor", "explain", "--engine", "podman", "toomanyrequests", "--json"]) == 0
    cures = json.loads(capsys.readouterr().out)["explanations"][0]["cures"]
    assert [cure["step"] for cure in cures] == [
        "docker login",
        "localreg --engine podman --name team up --image-archive FILE",
    ]


def test_the_message_may_come_from_another_program(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    feed(monkeypatch, b"The push refers to repository [localhost:5000/app]\n\xff\nno basic auth credentials\n")
    assert main(["doctor", "explain", "-q"]) == 0
    assert capsys.readouterr().out == "login-missing\n"


@pytest.mark.parametrize("text", [b"", b" \n"])
def test_without_a_message(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: bytes) -> None:
    feed(monkeypatch, text)
    assert main(["doctor", "explain", "--json"]) == 2
    assert schemas.check("stderr", capsys.readouterr().err)["error"]["message"] == "there is no message"


def test_a_message_that_is_not_known(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "explain", "kernel panic", "--json"]) == 4
    out, err = capsys.readouterr()
    error = schemas.check("stderr", err)["error"]
    assert (out, error["code"], error["hint"]) == ("", "not-found", "localreg doctor --report")
