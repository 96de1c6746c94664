"""What Podman makes of its configuration; each verdict here is one that Podman 4.3.1 gave."""

from __future__ import annotations

from pathlib import Path

import pytest

from localreg.clients.podman.registries_conf import (
    find_effective,
    list_refusals,
    parse_entries,
    read_text,
)
from localreg.errors import ConfigError

HERE = Path("registries.conf.d/90-here.conf")
MAIN = Path("registries.conf")


def entry(location: str, *, insecure: bool) -> str:
    return f'[[registry]]\nlocation = "{location}"\ninsecure = {str(insecure).lower()}\n'


def test_line_ends_are_read_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"a = 1\r\n")
    assert read_text(tmp_path / "x") == "a = 1\r\n"
    assert read_text(tmp_path / "y", missing="") == ""


@pytest.mark.parametrize(
    "text",
    [
        "[[registry]\n",
        "\x00",
        "registry = 1\n",
        "registry = [1]\n",
        "registries = ['a']\n",
        "[[registry]]\ninsecure = true\n",
        "[[registry]]\nprefix = 'localhost:5000'\ninsecure = true\n",
        "[[registry]]\nlocation = 5\n",
        "[[registry]]\nlocation = 'localhost:5000'\ninsecure = 'yes'\n",
        "[[registry]]\nlocation = 'http://localhost:5000'\n",
        "[[registry]]\nlocation = 'localhost:5000'\n[[registry.mirror]]\ninsecure = true\n",
        "[registries.insecure]\nregistries = ['localhost:5000']\n",
        entry("localhost:5000", insecure=True) + entry("localhost:5000", insecure=False),
        entry("localhost:5000", insecure=True) + "[[registry]]\nprefix = 'a.b'\nlocation = 'localhost:5000'\n",
        entry("localhost:5000", insecure=True) + entry("localhost:5000", insecure=True) + "blocked = true\n",
    ],
)
def test_what_podman_refuses_is_refused(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_entries(text, HERE)
    assert str(HERE) in caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        entry("localhost:5000", insecure=True),
        entry("localhost:5000/", insecure=True),
        entry("localhost", insecure=True),
        entry("localhost:5000", insecure=True) + entry("localhost:5000/team", insecure=False),
        entry("localhost:5000", insecure=True).replace("\n", "\r\n"),
        "registry = [{location = 'localhost:5000', insecure = true, unknown = 1}]\n",
        "unqualified-search-registries = ['docker.io']\n[[registry]]\nlocation='localhost:5000'\ninsecure=true\n",
    ],
)
def test_what_podman_understands_is_understood(text: str) -> None:
    found = find_effective(parse_entries(text, HERE), "localhost:5000")
    assert found is not None
    assert found.allows_plain_http


def test_the_first_version_of_the_format_counts_in_a_main_file() -> None:
    (found,) = parse_entries("[registries.insecure]\nregistries = ['localhost:5000']\n", MAIN)
    assert (found.prefix, found.insecure) == ("localhost:5000", True)
    assert parse_entries("[registries.search]\nregistries = ['docker.io']\n", MAIN) == []
    (found,) = parse_entries("[Registries.Block]\nRegistries = ['localhost:5000']\n", MAIN)
    assert found.find_obstacle("localhost:5000") == "blocks localhost:5000"


def test_an_empty_list_of_the_first_format_is_nothing_to_podman_4() -> None:
    text = "[registries.search]\nregistries = []\n" + entry("localhost:5000", insecure=True)
    assert [found.prefix for found in parse_entries(text, HERE, release=4)] == ["localhost:5000"]
    with pytest.raises(ConfigError):
        parse_entries(text, HERE, release=5)


def test_the_longest_prefix_counts_and_of_two_alike_the_later() -> None:
    entries = [
        *parse_entries(entry("localhost", insecure=True) + entry("localhost:5000", insecure=False), HERE),
        *parse_entries(entry("localhost:5000", insecure=True), HERE),
    ]
    assert find_effective(entries, "localhost:5000") == entries[2]
    assert find_effective(entries, "localhost:50001") == entries[0]
    assert find_effective(entries, "localhost2:5000") is None


def test_a_wildcard_means_the_names_below() -> None:
    entries = parse_entries("[[registry]]\nprefix = '*.example.com'\ninsecure = true\n", HERE)
    assert find_effective(entries, "registry.example.com:5000") == entries[0]
    assert find_effective(entries, "registry.example.computer:5000") is None
    assert find_effective(entries, "example.com") is None


def test_a_blocked_registry_is_not_allowed_plain_http() -> None:
    (found,) = parse_entries(entry("localhost:5000", insecure=True) + "blocked = true\n", HERE)
    assert not found.allows_plain_http


def test_refusals_of_a_registry_and_of_a_part_of_it_are_told() -> None:
    entries = parse_entries(entry("localhost:5000", insecure=True) + entry("localhost:5000/team", insecure=False), HERE)
    assert [found.prefix for found in list_refusals(entries, "localhost:5000")] == ["localhost:5000/team"]
    assert list_refusals(entries, "localhost:5001") == []
    entries += parse_entries(entry("localhost:5000", insecure=False), HERE)
    assert [found.prefix for found in list_refusals(entries, "localhost:5000")] == [
        "localhost:5000",
        "localhost:5000/team",
    ]


def test_keys_count_in_any_case() -> None:
    text = '[[Registry]]\nLocation = "localhost:5000"\nINSECURE = true\n'
    (found,) = parse_entries(text, HERE)
    assert (found.prefix, found.allows_plain_http) == ("localhost:5000", True)


@pytest.mark.parametrize(
    "text",
    [
        entry("localhost:5000", insecure=True) + "Insecure = false\n",
        entry("localhost:5000", insecure=True) + entry("a.b", insecure=True).replace("registry", "Registry"),
        "registry = []\n" + entry("localhost:5000", insecure=True).replace("registry", "REGISTRY"),
    ],
)
def test_a_key_with_two_values_is_one_that_podman_chooses_by_chance(text: str) -> None:
    with pytest.raises(ConfigError, match="by chance"):
        parse_entries(text, HERE)


def test_a_key_that_is_there_twice_with_one_value_has_that_value() -> None:
    (found,) = parse_entries(entry("localhost:5000", insecure=True) + "INSECURE = true\n", HERE)
    assert found.allows_plain_http


def test_of_two_entries_with_one_prefix_the_first_of_the_file_counts() -> None:
    text = '[[registry]]\nprefix = "localhost:5000"\nlocation = "{}"\ninsecure = {}\n'
    assert [
        found.find_obstacle("localhost:5000")
        for found in parse_entries(text.format("localhost:5000", "true") + text.format("a.b", "false"), HERE)
    ] == [None]


@pytest.mark.parametrize(
    ("prefix", "location", "what"),
    [
        ("localhost:5000", "a.b:5000", "sends pulls of localhost:5000 to a.b:5000"),
        ("localhost:5000", "127.0.0.1:5000", None),
        ("localhost:5000", "localhost:5000/team", "sends pulls of localhost:5000 to localhost:5000/team"),
        # Podman cannot use the name that comes of it, and fails every pull.
        ("localhost", "localhost:5000", "sends pulls of localhost:5000 to localhost:5000:5000"),
        ("localhost", "127.0.0.1", None),
        ("a.b", "localhost:5000", "no entry"),
    ],
)
def test_a_location_that_is_not_the_prefix_is_for_pulls(prefix: str, location: str, what: str | None) -> None:
    text = f'[[registry]]\nprefix = "{prefix}"\nlocation = "{location}"\ninsecure = true\n'
    found = find_effective(parse_entries(text, HERE), "localhost:5000")
    assert (found.find_obstacle("localhost:5000") if found else "no entry") == what


def test_a_byte_order_mark_is_read_since_podman_5() -> None:
    text = '\ufeff[[registry]]\nlocation = "localhost:5000"\n'
    assert [found.prefix for found in parse_entries(text, HERE, release=5)] == ["localhost:5000"]
    with pytest.raises(ConfigError):
        parse_entries(text, HERE, release=4)


@pytest.mark.parametrize(
    ("prefix", "is_fine"),
    [("*.localhost", True), ("*.localhost/", True), ("*.localhost:5000", False), ("*.a.b/c", False)],
)
def test_a_wildcard_stands_before_a_domain_alone(prefix: str, *, is_fine: bool) -> None:
    text = f'[[registry]]\nprefix = "{prefix}"\ninsecure = true\n'
    if is_fine:
        assert parse_entries(text, HERE)[0].covers("reg.localhost:5000")
        return
    with pytest.raises(ConfigError):
        parse_entries(text, HERE)


def test_the_first_format_is_read_until_podman_5() -> None:
    text = '[registries.insecure]\nregistries = ["localhost:5000"]\n'
    assert [found.prefix for found in parse_entries(text, MAIN, release=5)] == ["localhost:5000"]
    with pytest.raises(ConfigError):
        parse_entries(text, MAIN, release=6)
