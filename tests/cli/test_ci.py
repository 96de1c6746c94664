"""`ci` in this process: what counts is what was typed, in the folder that it was typed in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from localreg.cli import ci
from localreg.cli.app import main
from localreg.settings import SETTINGS

HOST = "ci@build.example.com"


@pytest.fixture(autouse=True)
def project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The current folder, of a user without settings and without tunnels."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr(ci, "list_open_tunnels", list)
    for setting in SETTINGS:
        monkeypatch.delenv(setting.variable, raising=False)
    folder = tmp_path / "My Project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_the_text_is_the_same_whatever_the_format(capsys: pytest.CaptureFixture[str]) -> None:
    texts = []
    for options in ([], ["--json"], ["-q"], ["--format", "table"]):
        assert main(["ci", "github", "--host", HOST, *options]) == 0
        texts.append(capsys.readouterr().out)
    assert len(set(texts)) == 1
    assert texts[0].startswith("# .github/workflows/image.yml\n")
    assert texts[0].endswith("\n")
    assert "image=localhost:5000/my-project\n" in texts[0]


def test_settings_of_this_machine_are_not_the_pipelines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, project: Path
) -> None:
    assert main(["ci", "shell", "--host", HOST]) == 0
    plain = capsys.readouterr().out
    for name, value in (("ENGINE", "podman"), ("HOST", "127.0.0.2"), ("PORT", "5005"), ("IMAGE", "registry:3")):
        monkeypatch.setenv(f"LOCALREG_{name}", value)
    (project / "localreg.toml").write_text("port = 5006\n")
    assert main(["ci", "shell", "--host", HOST]) == 0
    assert capsys.readouterr().out == plain
    assert main(["--engine", "podman", "ci", "shell", "--host", HOST]) == 0
    assert "podman push --tls-verify=false" in capsys.readouterr().out


def test_without_a_host_the_hint_can_be_typed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ci", "gitlab", "--engine", "podman", "--json"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    hint = json.loads(err)["error"]["hint"]
    assert main(hint.split()[1:]) == 0
    assert "quay.io/podman/stable" in capsys.readouterr().out


def test_a_hint_is_for_the_registry_that_was_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--name", "other", "ci", "bitbucket", "--engine", "podman", "--host", HOST]) == 2
    hint = capsys.readouterr().err.rpartition("hint: ")[2]
    assert hint == f"localreg --name other ci bitbucket --host {HOST} --engine docker\n"
    assert main(hint.split()[1:]) == 0


def test_a_system_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ci", "jenkins", "--host", HOST]) == 2
    assert "`jenkins`" in capsys.readouterr().err


def test_a_system_that_is_missing_is_asked_for_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ci"]) == 2
    message, hint = capsys.readouterr().err.splitlines()
    assert "SYSTEM" in message
    assert "bitbucket, github, gitlab, shell" in message
    assert hint == "hint: localreg ci --help"
