"""`env`."""

from __future__ import annotations

import subprocess

import pytest
from support import schemas
from support.engines.fake import FakeEngine

from localreg.cli.app import main


@pytest.fixture(autouse=True)
def _in_bash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/bin/bash")


def test_a_shell_evaluates_it(up: FakeEngine, location: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert up.find_container("registry")
    assert main(["env"]) == 0
    script = f'{capsys.readouterr().out}echo "$KO_DOCKER_REPO $SKAFFOLD_DEFAULT_REPO $FUNC_REGISTRY $LOCALREG_URL"'
    said = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert said == [location, location, location, f"http://127.0.0.1:{location.rpartition(':')[2]}"]


def test_json(up: FakeEngine, location: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert up.find_container("registry")
    assert main(["--engine", "docker", "env", "--json"]) == 0
    found = schemas.check("env", capsys.readouterr().out)["variables"]
    assert found["LOCALREG_NAME"] == "registry"
    assert found["LOCALREG_ENGINE"] == "docker"
    assert found["LOCALREG_LOCATION"] == location


@pytest.mark.parametrize(
    ("shell", "start"), [("/usr/bin/fish", "set -gx LOCALREG_NAME "), ("/bin/tcsh", "export "), ("", "export ")]
)
def test_the_users_shell_is_the_default(
    up: FakeEngine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], shell: str, start: str
) -> None:
    assert up.find_container("registry")
    monkeypatch.setenv("SHELL", shell)
    assert main(["env"]) == 0
    assert capsys.readouterr().out.startswith(start)


def test_taking_back_needs_no_engine(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")
    assert main(["env", "--unset", "--shell", "cmd"]) == 0
    assert 'set "KO_DOCKER_REPO="' in capsys.readouterr().out.splitlines()
    assert main(["env", "--unset", "--json"]) == 0
    assert set(schemas.check("env", capsys.readouterr().out)["variables"].values()) == {None}
    assert main(["env", "--unset", "--shell", "dotenv"]) == 2


def test_without_a_registry(engine: FakeEngine, capsys: pytest.CaptureFixture[str]) -> None:
    assert not engine.list_containers()
    assert main(["env"]) == 4
    assert capsys.readouterr().out == ""
