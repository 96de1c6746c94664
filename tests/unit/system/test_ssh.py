"""The parts of an `ssh://` URL."""

from __future__ import annotations

import pytest

from localreg.system.ssh import SshAddress


@pytest.mark.parametrize(
    ("url", "arguments", "path"),
    [
        ("ssh://there", ["--", "there"], ""),
        ("ssh://Alias/", ["--", "Alias"], ""),
        ("ssh://me@there:2222", ["-l", "me", "-p", "2222", "--", "there"], ""),
        ("ssh://me%40corp@there", ["-l", "me@corp", "--", "there"], ""),
        ("ssh://me@corp@there", ["-l", "me@corp", "--", "there"], ""),
        ("ssh://[::1]:22", ["-p", "22", "--", "::1"], ""),
        ("ssh://me@[fe80::1%25eth0]", ["-l", "me", "--", "fe80::1%eth0"], ""),
        ("ssh://there/run/user/1000/docker.sock", ["--", "there"], "/run/user/1000/docker.sock"),
        ("ssh://me@[::1]/run/p.sock?secure=True", ["-l", "me", "--", "::1"], "/run/p.sock"),
        ("ssh://-oProxyCommand=false", ["--", "-oProxyCommand=false"], ""),
    ],
)
def test_what_the_url_says_is_given_to_ssh(url: str, arguments: list[str], path: str) -> None:
    address = SshAddress.parse(url)
    assert (address.arguments, address.path) == (arguments, path)


@pytest.mark.parametrize("url", ["ssh://", "ssh://me@", "ssh://:22", "ssh://::1", "ssh://[::1", "ssh://there:ssh"])
def test_what_is_not_a_url(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        SshAddress.parse(url)


def test_a_password_is_refused_and_not_repeated() -> None:
    with pytest.raises(ValueError, match="password") as caught:
        SshAddress.parse("ssh://me:secret@there")
    assert "secret" not in str(caught.value)
