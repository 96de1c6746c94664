"""How a host key is accepted, by what `ssh_config` says, as the real `ssh -G` tells."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from localreg.tunnels.spec import TunnelSpec
from localreg.tunnels.ssh.known_hosts import Acceptance, how_to_accept, login_command

USUAL = "UserKnownHostsFile=~/.ssh/known_hosts"


def accept(*options: str) -> Acceptance:
    spec = TunnelSpec("ci@far", 5000, "registry", "localhost:5000", "http://127.0.0.1:5000", ssh_options=options)
    return how_to_accept(spec)


@pytest.fixture(autouse=True)
def _without_this_users_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ssh = tmp_path / "ssh"
    ssh.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F none "$@"\n')
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))


def test_usually_ssh_asks_and_keeps_the_key() -> None:
    assert accept() == Acceptance("ssh ci@far")
    assert accept("Port=2222", "StrictHostKeyChecking=ask") == Acceptance(
        "ssh -p 2222 -o StrictHostKeyChecking=ask ci@far"
    )


@pytest.mark.parametrize("strict", ["yes", "no", "accept-new"])
def test_ssh_asks_although_it_would_not(strict: str) -> None:
    # The first value counts.
    assert accept(f"StrictHostKeyChecking={strict}").command.startswith("ssh -o StrictHostKeyChecking=ask ")


@pytest.mark.parametrize("file", ["/dev/null", "none"])
def test_a_key_is_kept_although_ssh_would_not(file: str) -> None:
    found = accept(f"UserKnownHostsFile={file}")
    assert found.option == USUAL
    assert found.command.startswith(f"ssh -o '{USUAL}' -o StrictHostKeyChecking=ask ")


def test_a_file_of_ones_own_is_used() -> None:
    assert accept("UserKnownHostsFile=/keys /more").option is None


def test_an_address_that_openssh_does_not_read_in_a_url() -> None:
    assert login_command("ssh://ci@[::1]:2222") == "ssh -l ci -p 2222 -- ::1"
    assert login_command("ssh://ci@far:2222") == "ssh ssh://ci@far:2222"
