"""Docker behind ssh without paramiko: which extra it takes, before anybody has to log in."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from localreg.cli.app import main


@pytest.fixture(autouse=True)
def _without_paramiko(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # This is how Python is told that it is not installed.
    monkeypatch.setitem(sys.modules, "paramiko", None)
    monkeypatch.setenv("DOCKER_HOST", "ssh://me@there")
    # No `ssh` there: it must not have been asked.
    monkeypatch.setenv("PATH", str(tmp_path))


def test_the_extra_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ls"]) == 3
    error = capsys.readouterr().err
    assert re.search(r"docker +ssh://me@there\b.*`paramiko`", error)
    assert "`localreg-cli[ssh]`" in error
    assert error.splitlines()[-1] == f"hint: {sys.executable} -m pip install paramiko"


def test_pipx_is_told_to_bring_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "pipx_metadata.json").touch()
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert main(["ls"]) == 3
    assert capsys.readouterr().err.splitlines()[-1] == "hint: pipx inject localreg-cli paramiko"
