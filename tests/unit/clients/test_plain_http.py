"""The table of who uses plain HTTP, and the option that a command needs."""

from __future__ import annotations

import pytest

from localreg.clients.plain_http import Host, kind_of, option_for


@pytest.mark.parametrize(
    ("location", "kind"),
    [
        ("localhost:5000", Host.LOCALHOST),
        ("127.0.0.1:5000", Host.IPV4),
        ("127.5.5.5:5000", Host.OTHER_IPV4),
        ("[::1]:5000", Host.IPV6),
        ("reg.localhost:5000", Host.DOT_LOCALHOST),
        ("nas.local:5000", Host.DOT_LOCAL),
        ("172.20.0.1:5000", Host.PRIVATE),
        ("192.0.2.1:5000", Host.OTHER),
        ("reg.example.com:443", Host.OTHER),
        ("[fd00::1]:5000", Host.OTHER),
    ],
)
def test_a_location_is_of_one_kind(location: str, kind: Host) -> None:
    assert kind_of(location) is kind


@pytest.mark.parametrize(
    ("program", "location", "option"),
    [
        ("crane", "localhost:5000", ""),
        ("crane", "127.5.5.5:5000", "--insecure"),
        ("oras", "127.0.0.1:5000", "--plain-http"),
        ("skopeo", "localhost:5000", "--tls-verify=false"),
        ("skopeo", "[::1]:5000", None),
        ("docker, containerd store", "reg.localhost:5000", None),
        ("nosuch", "localhost:5000", None),
    ],
)
def test_a_command_has_the_option_that_it_needs(program: str, location: str, option: str | None) -> None:
    assert option_for(program, location) == option
