"""The command line of `ssh`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from localreg.tunnels.spec import TunnelSpec
from localreg.tunnels.ssh.options import arguments

SPEC = TunnelSpec("far", 5000, "registry", "localhost:5000", "http://127.0.0.1:5000")


@pytest.mark.parametrize(
    ("host", "end"),
    [
        ("far", ["--", "far"]),
        ("ci@::1", ["--", "ci@::1"]),
        ("ssh://ci@far:2222", ["-l", "ci", "-p", "2222", "--", "far"]),
        ("ssh://[::1]:2222", ["-p", "2222", "--", "::1"]),
    ],
)
def test_the_host_comes_last(host: str, end: list[str]) -> None:
    assert arguments(replace(SPEC, host=host), Path("/master"))[-len(end) :] == end


def test_the_port_of_its_server_is_said_as_for_ssh() -> None:
    spec = replace(SPEC, ssh_options=("Port=2222", "Compression=yes"))
    assert spec.as_typed() == "localreg tunnel open far -p 2222 --ssh-option Compression=yes"
    command = arguments(spec, Path("/master"))
    assert command[command.index("Port=2222") - 1] == "-o"
