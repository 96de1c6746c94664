"""The Podman that a variable names; each spelling here is one that Podman 4.3, 5.8 and 6.1 takes or refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from localreg.engines.discovery.connections import BrokenConnectionError, named_podman
from localreg.engines.discovery.endpoints import named_endpoints
from localreg.engines.discovery.select import survey_engines
from localreg.engines.values import Endpoint


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("unix:///run/p.sock", "unix:///run/p.sock"),
        ("unix:/run/p.sock", "unix:///run/p.sock"),
        ("unix://run/p.sock", "unix:///run/p.sock"),
        ("UNIX:////run/p.sock", "unix:///run/p.sock"),
        ("unix:///run/%70.sock?x=1", "unix:///run/p.sock"),
        ("tcp://127.0.0.1:8080", "tcp://127.0.0.1:8080"),
        ("tcp://[::1]:8080/", "tcp://[::1]:8080"),
        ("ssh://me@there:2222/run/p.sock", "ssh://me@there:2222/run/p.sock"),
    ],
)
def test_an_address_is_read_as_podman_reads_it(url: str, same: str) -> None:
    assert named_podman({"CONTAINER_HOST": url}) == ("CONTAINER_HOST", Endpoint(same))


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("tcp://127.0.0.1", "port"),
        ("tcp://127.0.0.1:many", "many"),
        ("tcp:127.0.0.1:8080", "tcp://HOST:PORT"),
        ("http://127.0.0.1:8080", "tcp://HOST:PORT"),
        ("127.0.0.1:8080", "tcp://HOST:PORT"),
        ("/run/p.sock", "unix:///PATH"),
        ("unix:run/p.sock", "unix:///PATH"),
        ("unix://", "unix:///PATH"),
        ("ssh://", "ssh://HOST/PATH"),
    ],
)
def test_what_podman_refuses_is_no_address(url: str, reason: str) -> None:
    (silent,) = survey_engines("auto", volume="x", environ={"CONTAINER_HOST": url}).unavailable
    assert (silent.engine, silent.where, silent.variable) == ("podman", url, "CONTAINER_HOST")
    assert reason in silent.reason


class Program:
    """A stand-in for `podman`, which lists connections."""

    def __init__(self, folder: Path) -> None:
        self.environ = {"PATH": str(folder), "CONTAINER_CONNECTION": "mine"}
        self._path = folder / "podman"
        self.lists()

    def lists(self, *connections: dict[str, Any]) -> None:
        self.says(f"cat <<'END'\n{json.dumps(connections)}\nEND")

    def says(self, script: str) -> None:
        wanted = "system connection list --format json"
        self._path.write_text(f'#!/bin/sh\nPATH=/usr/bin:/bin\n[ "$*" = "{wanted}" ] || exit 1\n{script}\n')
        self._path.chmod(0o755)


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


def test_a_connection_is_found_by_its_name(program: Program) -> None:
    program.lists({"Name": "other", "URI": "unix:///a.sock"}, {"Name": "mine", "URI": "unix:/b.sock"})
    found = ("CONTAINER_CONNECTION", Endpoint("unix:///b.sock", context="mine"))
    assert named_podman(program.environ) == found
    assert named_endpoints(("docker",), program.environ) == []


def test_an_address_and_a_connection_are_one_too_many(program: Program) -> None:
    environ = {**program.environ, "CONTAINER_HOST": "unix:///other.sock"}
    (silent,) = survey_engines("auto", volume="x", environ=environ).unavailable
    assert (silent.where, silent.variable) == ("unix:///other.sock", "CONTAINER_HOST")
    assert "CONTAINER_CONNECTION=`mine`" in silent.reason
    environ["CONTAINER_CONNECTION"] = ""
    assert named_podman(environ) == ("CONTAINER_HOST", Endpoint("unix:///other.sock"))


def test_the_key_of_a_connection_is_used(program: Program, tmp_path: Path) -> None:
    key = tmp_path / "id"
    program.lists({"Name": "mine", "URI": "ssh://me@there/p.sock", "Identity": str(key)})
    with pytest.raises(BrokenConnectionError, match=f"`{key}` does not exist"):
        named_podman(program.environ)
    key.touch()
    endpoint = Endpoint("ssh://me@there/p.sock", context="mine", identity=key)
    assert named_podman(program.environ) == ("CONTAINER_CONNECTION", endpoint)
    assert endpoint.is_remote


def test_a_virtual_machine_forwards_its_ports_to_this_one(program: Program) -> None:
    program.lists({"Name": "mine", "URI": "ssh://core@127.0.0.1:50000/p.sock", "IsMachine": True})
    found = named_podman(program.environ)
    assert found
    assert not found[1].is_remote


@pytest.mark.parametrize(
    ("script", "reason", "cure"),
    [
        ("echo '[]'", "the connection does not exist", "podman system connection list"),
        ("echo", "the connection does not exist", "podman system connection list"),
        ('echo \'[{"Name": "mine", "URI": "http://there"}]\'', "tcp://HOST:PORT", None),
        ('echo \'[{"Name": "mine", "URI": "tcp://there:1", "TLSCA": "/ca"}]\'', "TLS", None),
        ("echo 'Error: parse x: unexpected EOF' >&2; exit 125", "Error: parse x: unexpected EOF", None),
        ("echo '{'", "cannot use it", None),
        ("exit 3", "exit code 3", None),
    ],
)
def test_a_connection_that_cannot_be_used_is_never_another_podman(
    program: Program, script: str, reason: str, cure: str | None
) -> None:
    program.says(script)
    with pytest.raises(BrokenConnectionError) as caught:
        named_podman(program.environ)
    silent = caught.value.unavailable
    assert (silent.where, silent.variable, silent.cure) == ("connection `mine`", "CONTAINER_CONNECTION", cure)
    assert reason in silent.reason


def test_without_the_program_a_connection_cannot_be_looked_up(program: Program, tmp_path: Path) -> None:
    (tmp_path / "podman").unlink()
    with pytest.raises(BrokenConnectionError, match="not installed"):
        named_podman(program.environ)
