"""What `ssh` says, and what the user is told of it."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from localreg.errors import HostKeyError, TunnelError, UsageError
from localreg.tunnels.spec import TunnelSpec
from localreg.tunnels.ssh.messages import explain, is_message, remote_address

FAR = TunnelSpec("far", 5000, "registry", "localhost:5000", "http://127.0.0.1:5000")


@pytest.mark.parametrize(
    ("lines", "kind", "fact", "cure"),
    [
        (
            ["debug1: Server host key: ssh-ed25519 SHA256:abc", "Host key verification failed."],
            HostKeyError,
            "far",
            "ssh far",
        ),
        (
            ["@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @", "Host key verification failed."],
            HostKeyError,
            "far",
            "`ssh-keygen -R`",
        ),
        (
            ["root@far: Permission denied (publickey,password)."],
            TunnelError,
            "publickey,password",
            "--identity",
        ),
        (
            ["command-line: line 0: Bad configuration option: foo"],
            UsageError,
            "command-line: line 0: Bad configuration option: foo",
            "man ssh_config",
        ),
        (
            ["ssh: connect to host far port 22: Connection refused"],
            TunnelError,
            "connection refused",
            "ssh far",
        ),
        (
            ["ssh: Could not resolve hostname far: Name or service not known"],
            TunnelError,
            "could not resolve hostname far: Name or service not known",
            "ssh far",
        ),
        (["debug1: nothing else"], TunnelError, "far", "ssh far"),
    ],
)
def test_what_ssh_says_is_explained(lines: list[str], kind: type[Exception], fact: str, cure: str) -> None:
    error = explain(["OpenSSH_9.2p1 Debian", "debug1: Reading configuration data", *lines], FAR)
    assert type(error) is kind
    assert fact in error.message
    assert kind is UsageError or re.search(r"\bfar\b", error.message)
    assert cure in str(error.hint)
    # The debug lines of `ssh -v` are not for the user.
    assert "debug1" not in error.message
    assert "port 22" not in error.message


@pytest.mark.parametrize(
    ("line", "host", "place"),
    [
        ("ssh: connect to host far port 22: Connection refused", "far", ""),
        ("ssh: connect to host far port 22: Connection refused", "ci@far", ""),
        ("ssh: connect to host far.example port 22: Connection refused", "far", " (far.example port 22)"),
        ("ssh: connect to host far port 2222: Connection refused", "ci@far", " port 2222"),
    ],
)
def test_a_refused_connection_is_said_once(line: str, host: str, place: str) -> None:
    error = explain(["debug1: x", "a banner", line], replace(FAR, host=host))
    assert error.message == f"cannot connect to {host}{place}: connection refused"
    assert error.details == ("a banner",)


def test_a_banner_is_not_a_word_of_ssh() -> None:
    shaken = ["debug1: Server host key: ssh-ed25519 SHA256:x", "debug1: SSH2_MSG_NEWKEYS sent"]
    refusal = ["Host key verification failed.", "ci@far: Permission denied (publickey)."]
    assert isinstance(explain([*shaken, *refusal], FAR), TunnelError)
    # A jump host has come so far, and what is behind it has not.
    behind = explain([*shaken, shaken[0].replace("SHA256:x", "SHA256:y"), refusal[0]], FAR)
    assert isinstance(behind, HostKeyError)
    assert "SHA256:y" in behind.details[0]


def test_what_ssh_would_not_say_without_being_asked_is_left_out() -> None:
    assert is_message("Timeout, server far not responding.")
    assert not any(map(is_message, ["debug1: x", "", "OpenSSH_9.2p1", "Authenticated to far ([1.2.3.4]:22) using x."]))


@pytest.mark.parametrize(
    ("line", "address"),
    [
        ('Authenticated to far ([192.0.2.7]:22) using "publickey".', "192.0.2.7"),
        ('Authenticated to far ([2001:db8::7]:22) using "publickey".', "2001:db8::7"),
        ('debug1: Authenticated to far (via proxy) using "publickey".', "far"),
        ("debug1: something", None),
    ],
)
def test_where_ssh_got_to_is_in_what_it_says(line: str, address: str | None) -> None:
    assert remote_address(["debug1: x", line]) == address
