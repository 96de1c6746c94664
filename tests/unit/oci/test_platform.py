from __future__ import annotations

import pytest

from localreg.errors import UsageError
from localreg.oci.manifest import Platform
from localreg.oci.platform import fits, parse_platform


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("linux/amd64", Platform("linux", "amd64")),
        ("linux/arm/v7", Platform("linux", "arm", "v7")),
        ("Linux/x86_64", Platform("linux", "amd64")),
        ("linux/aarch64", Platform("linux", "arm64")),
        ("linux/i386", Platform("linux", "386")),
        ("linux/armhf", Platform("linux", "arm", "v7")),
        ("linux/armel", Platform("linux", "arm", "v6")),
        ("windows(10.0.20348.1006)/amd64", Platform("windows", "amd64", None, "10.0.20348.1006")),
    ],
)
def test_a_platform_is_read_as_docker_reads_it(typed: str, found: Platform) -> None:
    assert parse_platform(typed) == found


@pytest.mark.parametrize(
    "typed", ["", "arm64", "linux/", "/amd64", "linux/arm/v7/x", "linux amd64", "linux/amd64,linux/arm64"]
)
def test_what_is_not_a_platform_is_refused(typed: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_platform(typed)
    assert caught.value.hint == "use OS/ARCHITECTURE, such as linux/arm64"


@pytest.mark.parametrize(
    ("stored", "wanted", "does"),
    [
        ("linux/arm64", "linux/arm64", True),
        ("linux/arm64/v8", "linux/arm64", True),
        ("linux/arm64", "linux/arm64/v8", True),
        ("linux/arm/v6", "linux/arm/v7", False),
        ("linux/arm", "linux/arm/v7", True),
        ("linux/arm/v6", "linux/arm", True),
        ("linux/amd64", "linux/amd64/v3", False),
        ("linux/amd64", "linux/arm64", False),
        ("linux/amd64", "windows/amd64", False),
        ("windows(10.0.1)/amd64", "windows/amd64", True),
        ("windows(10.0.1)/amd64", "windows(10.0.2)/amd64", False),
        ("windows/amd64", "windows(10.0.2)/amd64", False),
    ],
)
def test_a_variant_counts_only_if_it_is_wanted(*, stored: str, wanted: str, does: bool) -> None:
    assert fits(parse_platform(stored), parse_platform(wanted)) is does
