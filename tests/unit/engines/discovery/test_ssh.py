"""An engine behind ssh that cannot be asked: the reason, without a secret of the URL."""

from __future__ import annotations

from pathlib import Path

import pytest

from localreg.cli.app import main


def test_a_password_in_the_url_is_refused_and_not_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "ssh://me:secret@there")
    assert main(["ls"]) == 3
    error = capsys.readouterr().err
    assert "password" in error
    assert "secret" not in error


@pytest.mark.parametrize(
    ("variable", "url"),
    [
        ("DOCKER_HOST", "tcp://me:secret@127.0.0.1:1"),
        ("DOCKER_HOST", "http://me:secret@127.0.0.1:1"),
        ("DOCKER_HOST", "ftp://me:secret@there"),
        ("CONTAINER_HOST", "tcp://me:secret@127.0.0.1:1"),
        ("CONTAINER_HOST", "ssh://me:secret@[::1"),
    ],
)
def test_a_password_is_not_shown_whatever_is_wrong(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, variable: str, url: str
) -> None:
    monkeypatch.setenv(variable, url)
    assert main(["ls"]) == 3
    error = capsys.readouterr().err
    assert "me@" in error
    assert "secret" not in error


def test_without_ssh_that_is_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "ssh://me@there")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["ls"]) == 3
    assert "docker  ssh://me@there: the program `ssh` is not installed\n" in capsys.readouterr().err
