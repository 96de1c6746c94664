"""The command that installs an extra."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from localreg.system.extra import install_command


@pytest.mark.parametrize(
    ("file", "command"),
    [
        ("pipx_metadata.json", "pipx inject localreg-cli cryptography"),
        ("uv-receipt.toml", "uv tool install 'localreg-cli[tls]'"),
        ("pyvenv.cfg", "pip install 'localreg-cli[tls]'"),
    ],
)
def test_the_command_is_of_the_installer(
    file: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / file).touch()
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert install_command("tls", "cryptography") == command
