from __future__ import annotations

import pytest

from localreg.errors import UsageError
from localreg.registry.certificate_names import Names, read_san


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("registry.lan", "registry.lan"),
        (" Registry.LAN\n", "registry.lan"),
        ("build", "build"),
        ("10.0.0.5", "10.0.0.5"),
        ("[FE80::1]", "fe80::1"),
        ("a" * 63, "a" * 63),
    ],
)
def test_a_name_or_an_address_can_be_in_a_certificate(text: str, expected: str) -> None:
    assert read_san(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*.lan",
        "a_b",
        "-a",
        "a..b",
        ".lan",
        "lan.",
        "10.0.0",
        "10.0.0.0/8",
        "https://a",
        "a:5000",
        "ä.de",
        "a" * 64,
    ],
)
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        read_san(text)


@pytest.mark.parametrize(
    ("names", "permitted", "left"),
    [
        (["localhost"], ["localhost"], []),
        (["api.localhost"], ["localhost"], []),
        (["x.registry.lan"], ["registry.lan"], []),
        (["notregistry.lan"], ["registry.lan"], ["notregistry.lan"]),
        (["127.0.0.9", "::1"], ["127.0.0.0/8", "::1"], []),
        (["10.0.0.5"], ["127.0.0.0/8", "::1"], ["10.0.0.5"]),
        (["a_b", ""], [], []),
    ],
)
def test_the_names_that_are_not_permitted_are_left(names: list[str], permitted: list[str], left: list[str]) -> None:
    assert Names.of(names) - Names.of(permitted) == Names.of(left)
