from __future__ import annotations

from pathlib import Path

import pytest
import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st

from localreg.clients.podman import apply_plan, find_permission, plan_fix
from localreg.clients.registries_conf import add_entries, find_effective, parse_entries, remove_entries
from localreg.errors import ConfigError

BOTH = ["localhost:5000", "127.0.0.1:5000"]
HERE = Path("50-localreg.conf")


class Machine:
    """A home and an /etc/containers of the test's own."""

    def __init__(self, root: Path) -> None:
        self.environ = {"HOME": str(root / "home")}
        self.etc = root / "etc"
        self.user = root / "home/.config/containers"
        for folder in (self.etc, self.user):
            (folder / "registries.conf.d").mkdir(parents=True)
        self.drop_in = self.user / "registries.conf.d/50-localreg.conf"

    def fix(self, name: str = "registry", locations: list[str] | None = None) -> str:
        plan = plan_fix(
            name, BOTH if locations is None else locations, scope="user", environ=self.environ, etc=self.etc
        )
        apply_plan(plan)
        return self.drop_in.read_text() if self.drop_in.exists() else ""


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def entry(location: str, *, insecure: bool) -> str:
    return f'[[registry]]\nlocation = "{location}"\ninsecure = {str(insecure).lower()}\n'


def test_the_drop_in_is_what_podman_reads(machine: Machine) -> None:
    assert machine.fix() == (
        "# Written by `localreg podman-fix`; `localreg podman-fix --remove` takes it away again.\n"
        "\n"
        "[[registry]]\n"
        'location = "localhost:5000" # localreg: registry\n'
        "insecure = true\n"
        "\n"
        "[[registry]]\n"
        'location = "127.0.0.1:5000" # localreg: registry\n'
        "insecure = true\n"
    )
    assert machine.drop_in.stat().st_mode & 0o777 == 0o644
    assert find_permission("localhost:5000", environ=machine.environ, etc=machine.etc) == machine.drop_in


def test_twice_is_once_and_taking_back_leaves_nothing(machine: Machine) -> None:
    once = machine.fix()
    assert machine.fix() == once
    assert machine.fix(locations=[]) == ""
    assert not machine.drop_in.exists()
    assert list(machine.drop_in.parent.iterdir()) == []


def test_what_others_wrote_into_the_file_stays(machine: Machine) -> None:
    before = '# mine\nunqualified-search-registries = ["docker.io"] # why\n\n' + entry("example.com", insecure=True)
    machine.drop_in.write_text(before)
    machine.drop_in.chmod(0o600)
    assert machine.fix().startswith(before)
    assert machine.drop_in.stat().st_mode & 0o777 == 0o600
    assert machine.fix(locations=[]) == before


def test_each_registry_has_entries_of_its_own(machine: Machine) -> None:
    machine.fix("one", ["localhost:5001"])
    machine.fix("two", ["localhost:5002"])
    machine.fix("one", ["localhost:5003"])
    prefixes = [found.prefix for found in parse_entries(machine.drop_in.read_text(), HERE)]
    assert prefixes == ["localhost:5002", "localhost:5003"]
    machine.fix("two", [])
    assert [found.prefix for found in parse_entries(machine.drop_in.read_text(), HERE)] == ["localhost:5003"]


def test_an_entry_that_another_file_provides_is_not_repeated(machine: Machine) -> None:
    other = machine.etc / "registries.conf.d/10-company.conf"
    other.write_text(entry("localhost", insecure=True))
    plan = plan_fix("registry", BOTH, scope="user", environ=machine.environ, etc=machine.etc)
    assert plan.provided == {"localhost:5000": other}
    assert plan.added == ("127.0.0.1:5000",)


def test_a_users_own_main_file_hides_the_systems_drop_ins(machine: Machine) -> None:
    (machine.etc / "registries.conf.d/10-company.conf").write_text(entry("localhost:5000", insecure=True))
    (machine.user / "registries.conf").write_text("# empty\n")
    plan = plan_fix("registry", BOTH, scope="user", environ=machine.environ, etc=machine.etc)
    assert plan.provided == {}


def test_a_later_file_that_forbids_it_is_named(machine: Machine) -> None:
    later = machine.drop_in.with_name("60-later.conf")
    later.write_text(entry("localhost:5000", insecure=False))
    plan = plan_fix("registry", BOTH, scope="user", environ=machine.environ, etc=machine.etc)
    assert plan.overridden == {"localhost:5000": later}


@pytest.mark.parametrize("text", ["[[registry]\n", "[[registry]]\ninsecure = true\n", "registry = 1\n", "\x00"])
def test_a_file_that_podman_cannot_read_is_named_and_nothing_is_written(machine: Machine, text: str) -> None:
    for broken in (machine.drop_in, machine.drop_in.with_name("10-other.conf")):
        broken.write_text(text)
        with pytest.raises(ConfigError) as caught:
            machine.fix()
        assert str(broken) in caught.value.message
        assert broken.read_text() == text
        broken.unlink()


def test_an_entry_of_ours_that_was_changed_by_hand_is_not_guessed_at(machine: Machine) -> None:
    text = machine.fix().replace("insecure = true\n\n", "insecure = true\nblocked = false\n\n", 1)
    machine.drop_in.write_text(text)
    with pytest.raises(ConfigError, match="changed by hand"):
        machine.fix(locations=[])
    assert machine.drop_in.read_text() == text


def test_a_linked_file_is_written_through(machine: Machine, tmp_path: Path) -> None:
    target = tmp_path / "dotfiles.conf"
    target.write_text("# mine\n")
    machine.drop_in.symlink_to(target)
    machine.fix()
    assert machine.drop_in.is_symlink()
    assert "localhost:5000" in target.read_text()


def test_without_a_home_there_is_nowhere_to_write(machine: Machine) -> None:
    with pytest.raises(ConfigError, match="no home"):
        plan_fix("registry", BOTH, scope="user", environ={}, etc=machine.etc)


def test_the_longest_prefix_counts_and_of_two_alike_the_later() -> None:
    entries = parse_entries(
        entry("localhost", insecure=True)
        + entry("localhost:5000", insecure=False)
        + entry("localhost:5000", insecure=True),
        HERE,
    )
    assert find_effective(entries, "localhost:5000") == entries[2]
    assert find_effective(entries, "localhost:50001") == entries[0]
    assert find_effective(entries, "localhost2:5000") is None


words = st.text("abc xyz-.:#'é", max_size=12)
comments = words.map(lambda text: f"# {text}\n")
tables = st.builds(
    lambda host, insecure, comment: (
        f'[[registry]]\n{comment}location = "{host}.example"  # theirs\ninsecure = {insecure}\n'
    ),
    st.text("abcdefgh", min_size=1, max_size=8),
    st.sampled_from(["true", "false"]),
    st.just("") | comments,
)
files = st.builds(
    lambda head, body, tail: head + "".join(body) + tail,
    st.lists(comments | st.just("\n") | st.just('short-name-mode = "permissive"\n'), max_size=1).map("".join),
    st.lists(tables | comments | st.just("\n"), max_size=6),
    st.sampled_from(["", "\n", "\n\n", "# end"]),
)


@settings(max_examples=200)
@given(files, st.lists(st.sampled_from(["localhost:5000", "127.0.0.1:5000", "[::1]:5000"]), min_size=1, unique=True))
def test_adding_and_taking_back_restores_every_byte(text: str, locations: list[str]) -> None:
    added = add_entries(text, "registry", locations)
    assert added.startswith(text)
    tomlkit.parse(added)
    assert {found.prefix for found in parse_entries(added, HERE) if found.insecure} >= set(locations)
    restored = remove_entries(added, "registry", HERE)
    assert restored == (text if text.strip() else "")
