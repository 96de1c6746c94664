"""A host and a port, and URLs."""

from __future__ import annotations

import pytest

from localreg.system.address import without_password


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("tcp://u:secret@h:1", "tcp://u@h:1"),
        ("ssh://u:secret@[::1", "ssh://u@[::1"),
        ("tcp://:secret@h", "tcp://@h"),
        ("u:secret@h", "u@h"),
        ("https://u:sec@ret@h/path", "https://u@h/path"),
        ("tcp://u@h:1", "tcp://u@h:1"),
        ("tcp://h:1/a:b@c", "tcp://h:1/a:b@c"),
        ("unix:///run/user/1000/podman.sock", "unix:///run/user/1000/podman.sock"),
        ("h:1", "h:1"),
    ],
)
def test_a_password_is_never_shown(url: str, shown: str) -> None:
    assert without_password(url) == shown
