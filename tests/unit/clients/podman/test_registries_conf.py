"""What Podman makes of its configuration; each verdict here is one that Podman 4.3.1 gave."""

from __future__ import annotations

from pathlib import Path

import pytest

from localreg.clients.podman.registries_conf import (
    find_effective,
    list_files,
    list_refusals,
    parse_entries,
    read_entries,
    read_text,
)
from localreg.errors import ConfigError

HERE = Path("registries.conf.d/90-here.conf")
MAIN = Path("registries.conf")


def entry(location: str, *, insecure: bool) -> str:
    return f'[[registry]]\nlocation = "{location}"\ninsecure = {str(insecure).lower()}\n'


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    return tmp_path / "etc"


@pytest.fixture
def user(tmp_path: Path) -> Path:
    return tmp_path / "home/.config/containers"


@pytest.fixture
def environ(tmp_path: Path, etc: Path, user: Path) -> dict[str, str]:
    for folder in (etc, user):
        (folder / "registries.conf.d").mkdir(parents=True)
        for name in ("60-late.conf", "10-early.conf", ".5-hidden.conf", "70-not-a-drop-in.toml"):
            (folder / "registries.conf.d" / name).touch()
        (folder / "registries.conf.d/80-folder.conf").mkdir()
    return {"HOME": str(tmp_path / "home")}


def drop_ins(folder: Path) -> list[Path]:
    return [folder / "registries.conf.d" / name for name in (".5-hidden.conf", "10-early.conf", "60-late.conf")]


def test_the_systems_drop_ins_come_first_and_then_the_users(environ: dict[str, str], etc: Path, user: Path) -> None:
    assert list_files(environ, etc=etc) == [*drop_ins(etc), *drop_ins(user)]
    (etc / "registries.conf").touch()
    assert list_files(environ, etc=etc)[0] == etc / "registries.conf"


def test_a_users_own_main_file_hides_the_systems_files(environ: dict[str, str], etc: Path, user: Path) -> None:
    (etc / "registries.conf").touch()
    (user / "registries.conf").touch()
    assert list_files(environ, etc=etc) == [user / "registries.conf", *drop_ins(user)]


@pytest.mark.parametrize("variable", ["CONTAINERS_REGISTRIES_CONF", "REGISTRIES_CONFIG_PATH"])
def test_a_named_main_file_replaces_both_and_hides_nothing(
    environ: dict[str, str], etc: Path, user: Path, variable: str
) -> None:
    (user / "registries.conf").touch()
    environ[variable] = "/named.conf"
    assert list_files(environ, etc=etc) == [Path("/named.conf"), *drop_ins(etc), *drop_ins(user)]


def test_xdg_config_home_does_not_count(environ: dict[str, str], etc: Path, tmp_path: Path) -> None:
    environ["XDG_CONFIG_HOME"] = str(tmp_path / "elsewhere")
    assert list_files(environ, etc=etc)[-1] == tmp_path / "home/.config/containers/registries.conf.d/60-late.conf"


def test_a_planned_file_is_listed_where_podman_will_read_it(environ: dict[str, str], etc: Path, user: Path) -> None:
    planned = etc / "registries.conf.d/50-localreg.conf"
    assert list_files(environ, etc=etc, planned=planned)[:4] == [*drop_ins(etc)[:2], planned, drop_ins(etc)[2]]
    (user / "registries.conf").touch()
    assert planned not in list_files(environ, etc=etc, planned=planned)


def test_a_link_that_leads_nowhere_breaks_podman_and_is_named(environ: dict[str, str], etc: Path, user: Path) -> None:
    dangling = user / "registries.conf.d/99-gone.conf"
    dangling.symlink_to("/nowhere/at/all")
    assert list_files(environ, etc=etc)[-1] == dangling
    with pytest.raises(ConfigError, match=r"99-gone\.conf"):
        read_entries(dangling)


def test_line_ends_are_read_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"a = 1\r\n")
    assert read_text(tmp_path / "x") == "a = 1\r\n"
    assert read_text(tmp_path / "y", missing="") == ""


@pytest.mark.parametrize(
    "text",
    [
        "[[registry]\n",
        "\x00",
        "\ufeff[[registry]]\nlocation = 'localhost:5000'\n",
        "registry = 1\n",
        "registry = [1]\n",
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
