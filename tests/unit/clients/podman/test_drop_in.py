"""Planning and writing Podman's drop-in, and asking stand-ins of the `podman` program about it."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from localreg.clients.podman.check import ask_podman
from localreg.clients.podman.drop_in import Plan, apply_plan, plan_fix
from localreg.clients.podman.machine import fix_machine
from localreg.clients.podman.registries_conf import find_permission
from localreg.errors import ConfigError

BOTH = ["localhost:5000", "127.0.0.1:5000"]


class Machine:
    """A home and an /etc/containers of the test's own."""

    def __init__(self, root: Path) -> None:
        self.environ = {"HOME": str(root / "home")}
        self.etc = root / "etc"
        self.user = root / "home/.config/containers"
        for folder in (self.etc, self.user):
            (folder / "registries.conf.d").mkdir(parents=True)
        self.drop_in = self.user / "registries.conf.d/50-localreg.conf"

    def plan(self, name: str = "registry", locations: list[str] | None = None, *, system: bool = False) -> Plan:
        return plan_fix(
            name,
            BOTH if locations is None else locations,
            scope="system" if system else "user",
            environ=self.environ,
            etc=self.etc,
        )

    def fix(self, name: str = "registry", locations: list[str] | None = None) -> str:
        apply_plan(self.plan(name, locations))
        return self.drop_in.read_bytes().decode() if self.drop_in.exists() else ""

    def permission(self, location: str = "localhost:5000") -> Path | None:
        return find_permission(location, environ=self.environ, etc=self.etc)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def entry(location: str, *, insecure: bool) -> str:
    return f'[[registry]]\nlocation = "{location}"\ninsecure = {str(insecure).lower()}\n'


def test_it_allows_plain_http_and_takes_it_back(machine: Machine) -> None:
    assert machine.permission() is None
    once = machine.fix()
    assert machine.drop_in.stat().st_mode & 0o777 == 0o644
    assert machine.permission() == machine.drop_in
    assert machine.fix() == once
    assert machine.fix(locations=[]) == ""
    assert list(machine.drop_in.parent.iterdir()) == []


def test_a_plan_writes_nothing_and_shows_the_change(machine: Machine) -> None:
    plan = machine.plan()
    assert not machine.drop_in.exists()
    assert plan.changes
    assert plan.diff().startswith(f"--- /dev/null\n+++ {machine.drop_in}\n")
    assert '+location = "127.0.0.1:5000" # localreg: registry\n' in plan.diff()
    apply_plan(plan)
    assert (machine.plan().changes, machine.plan().diff()) == (False, "")
    assert machine.plan(locations=[]).removed == tuple(BOTH)


def test_what_others_wrote_into_the_file_stays_to_the_byte(machine: Machine) -> None:
    before = b'# mine\r\nunqualified-search-registries = ["docker.io"] # why\r\n\r\n[[registry]]\r\nlocation = "a.b"'
    machine.drop_in.write_bytes(before)
    machine.drop_in.chmod(0o600)
    assert machine.fix().startswith(before.decode())
    assert machine.drop_in.stat().st_mode & 0o777 == 0o600
    machine.fix(locations=[])
    assert machine.drop_in.read_bytes() == before


def test_the_diff_of_a_file_without_a_last_newline_is_readable(machine: Machine) -> None:
    machine.drop_in.write_text("# mine")
    assert "\n # mine\n" not in machine.plan().diff()
    assert "-# mine\n\\ No newline at end of file\n+# mine\n" in machine.plan().diff()


def test_entries_move_with_the_port_and_another_registrys_stay(machine: Machine) -> None:
    machine.fix("one", ["localhost:5001"])
    machine.fix("two", ["localhost:5002"])
    plan = machine.plan("one", ["localhost:5003"])
    assert (plan.added, plan.removed) == (("localhost:5003",), ("localhost:5001",))
    apply_plan(plan)
    assert [bool(machine.permission(f"localhost:{port}")) for port in (5001, 5002, 5003)] == [False, True, True]
    machine.fix("two", [])
    assert machine.permission("localhost:5002") is None
    assert machine.permission("localhost:5003") == machine.drop_in


def test_an_entry_that_another_file_provides_is_not_repeated(machine: Machine) -> None:
    machine.fix()
    other = machine.etc / "registries.conf.d/10-company.conf"
    other.write_text(entry("localhost", insecure=True))
    plan = machine.plan()
    assert plan.provided == {"localhost:5000": other}
    assert plan.added == ("127.0.0.1:5000",)
    assert plan.removed == ("localhost:5000",)


def test_the_main_file_may_provide_it(machine: Machine) -> None:
    named = machine.etc / "named.conf"
    named.write_text(entry("localhost:5000", insecure=True))
    machine.environ["CONTAINERS_REGISTRIES_CONF"] = str(named)
    assert machine.plan().provided == {"localhost:5000": named}


def test_what_a_hidden_file_says_is_not_provided(machine: Machine) -> None:
    (machine.etc / "registries.conf.d/10-company.conf").write_text(entry("localhost:5000", insecure=True))
    (machine.user / "registries.conf").write_text("# empty\n")
    assert machine.plan().provided == {}


def test_a_later_file_that_forbids_it_is_named(machine: Machine) -> None:
    later = machine.drop_in.with_name("60-later.conf")
    later.write_text(entry("localhost:5000", insecure=False) + entry("127.0.0.1:5000/team", insecure=False))
    plan = machine.plan()
    assert {place: (obstacle.path, obstacle.what) for place, obstacle in plan.overridden.items()} == {
        place: (later, f"still forbids plain HTTP for {place}") for place in ("localhost:5000", "127.0.0.1:5000/team")
    }
    apply_plan(plan)
    assert machine.permission() is None


def test_an_earlier_file_that_forbids_it_is_overruled(machine: Machine) -> None:
    machine.drop_in.with_name("40-earlier.conf").write_text(entry("localhost:5000", insecure=False))
    (machine.etc / "registries.conf.d/60-system.conf").write_text(entry("localhost:5000", insecure=False))
    assert machine.plan().overridden == {}
    machine.fix()
    assert machine.permission() == machine.drop_in


def test_a_block_that_the_entry_lifts_is_named(machine: Machine) -> None:
    blocking = machine.etc / "registries.conf.d/40-company.conf"
    blocking.write_text(entry("localhost", insecure=False) + "blocked = true\n")
    plan = machine.plan()
    assert plan.replaced == (f"`{blocking}` blocks localhost:5000; localreg's entry lifts that",)
    assert plan.overridden == {}
    apply_plan(plan)
    assert machine.permission() == machine.drop_in
    assert machine.plan().replaced == plan.replaced
    later = machine.drop_in.with_name("60-later.conf")
    later.write_text(entry("localhost:5000", insecure=False) + "blocked = true\n")
    assert machine.plan().replaced == ()
    assert [obstacle.path for obstacle in machine.plan().overridden.values()] == [later]


def test_a_users_main_file_that_hides_the_systems_is_named(machine: Machine) -> None:
    main = machine.user / "registries.conf"
    main.write_text("# empty\n")
    plan = machine.plan(system=True)
    assert plan.path == machine.etc / "registries.conf.d/50-localreg-system.conf"
    assert {place: obstacle.path for place, obstacle in plan.overridden.items()} == dict.fromkeys(BOTH, main)
    assert machine.plan().overridden == {}


def test_a_linked_folder_in_which_podman_5_reads_nothing_is_named(machine: Machine, tmp_path: Path) -> None:
    folder = machine.drop_in.parent
    folder.rmdir()
    (tmp_path / "dotfiles").mkdir()
    folder.symlink_to(tmp_path / "dotfiles")
    assert {obstacle.path for obstacle in machine.plan().overridden.values()} == {folder}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            '[[registry]]\nprefix = "localhost:5000"\nlocation = "a.example.com"\ninsecure = true\n',
            "sends pulls of localhost:5000 to a.example.com; localreg's entry lifts that",
        ),
        (
            entry("localhost:5000", insecure=False) + '[[registry.mirror]]\nlocation = "b.example.com"\n',
            "names mirrors of localhost:5000; localreg's entry leaves them out",
        ),
    ],
)
def test_what_an_entry_of_others_loses_is_told(machine: Machine, text: str, told: str) -> None:
    earlier = machine.drop_in.with_name("40-earlier.conf")
    earlier.write_text(text)
    plan = machine.plan(locations=["localhost:5000"])
    assert (plan.overridden, plan.replaced) == ({}, (f"`{earlier}` {told}",))
    earlier.write_text(entry("localhost:5000", insecure=False))
    assert machine.plan(locations=["localhost:5000"]).replaced == ()


def test_a_file_that_podman_cannot_use_is_named_and_nothing_is_written(machine: Machine) -> None:
    for broken in (
        machine.drop_in,
        machine.drop_in.with_name("10-other.conf"),
        machine.etc / "registries.conf.d/99-last.conf",
        machine.etc / "registries.conf",
    ):
        broken.write_text("[[registry]\n")
        for locations in (BOTH, []):
            with pytest.raises(ConfigError) as caught:
                machine.fix(locations=locations)
            assert str(broken) in caught.value.message
        assert broken.read_text() == "[[registry]\n"
        broken.unlink()
        assert not machine.drop_in.exists()


def test_a_main_file_that_is_named_and_missing_breaks_podman(machine: Machine) -> None:
    machine.environ["CONTAINERS_REGISTRIES_CONF"] = "/no/such.conf"
    with pytest.raises(ConfigError, match=r"/no/such\.conf"):
        machine.plan()


def test_a_linked_file_is_written_through_and_given_back(machine: Machine, tmp_path: Path) -> None:
    for text in ("# mine\n", ""):
        target = tmp_path / "dotfiles.conf"
        target.write_text(text)
        machine.drop_in.unlink(missing_ok=True)
        machine.drop_in.symlink_to(target)
        machine.fix()
        assert machine.drop_in.is_symlink()
        assert "localhost:5000" in target.read_text()
        machine.fix(locations=[])
        assert machine.drop_in.is_symlink()
        assert target.read_text() == text


def test_folders_are_made_for_everybody_to_read(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    before = os.umask(0o077)
    try:
        plan = plan_fix("registry", BOTH, scope="user", environ={"HOME": str(home)}, etc=tmp_path / "etc")
        apply_plan(plan)
    finally:
        os.umask(before)
    modes = {path.stat().st_mode & 0o777 for path in list(plan.path.parents)[:3]}
    assert modes == {0o755}
    assert plan.path.stat().st_mode & 0o777 == 0o644


def test_what_a_kill_left_beside_the_file_goes_with_the_next_change(machine: Machine) -> None:
    left, foreign = (machine.drop_in.with_name(f".50-localreg.conf.{name}") for name in ("new", "swp"))
    left.write_text("half of")
    foreign.write_text("an editor's")
    machine.fix()
    assert sorted(machine.drop_in.parent.iterdir()) == sorted([foreign, machine.drop_in])


def test_a_file_that_changed_since_the_plan_is_left_alone(machine: Machine) -> None:
    plan = machine.plan("one", ["localhost:5001"])
    machine.fix("two", ["localhost:5002"])
    with pytest.raises(ConfigError, match=str(plan.path)) as caught:
        apply_plan(plan)
    assert caught.value.hint == "localreg podman-fix --name one --location localhost:5001"
    assert machine.permission("localhost:5002") == machine.drop_in


def test_what_cannot_be_written_leaves_nothing_behind(machine: Machine) -> None:
    plan = machine.plan()
    machine.drop_in.parent.rmdir()
    machine.drop_in.parent.write_text("in the way")
    with pytest.raises(ConfigError, match=str(plan.path)) as caught:
        apply_plan(plan)
    assert "podman-fix --location localhost:5000 --location 127.0.0.1:5000" in str(caught.value.hint)
    assert [path.name for path in machine.user.iterdir()] == ["registries.conf.d"]


def test_without_a_home_there_is_nowhere_to_write(machine: Machine) -> None:
    machine.environ.clear()
    with pytest.raises(ConfigError) as caught:
        machine.plan()
    assert re.search(r"\bHOME\b", str(caught.value.hint))


@pytest.fixture
def podman(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for the program: a shell script that a test writes."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    program = tmp_path / "podman"
    program.write_text("#!/bin/sh\nexit 125\n")
    program.chmod(0o755)
    return program


def test_the_program_says_what_is_in_force(podman: Path) -> None:
    registries = {
        "localhost:5000": {"Prefix": "localhost:5000", "Insecure": True, "Blocked": False},
        "localhost:5001": {"Prefix": "localhost:5001", "Insecure": True, "Blocked": True},
        "127.0.0.1": {"Prefix": "127.0.0.1", "Insecure": True, "Blocked": False},
        "127.0.0.1:5001": {"Prefix": "127.0.0.1:5001", "Insecure": False, "Blocked": False},
        "localhost:5002": {"Prefix": "localhost:5002", "Location": "a.example.com", "Insecure": True},
        "localhost:5003": {"Prefix": "localhost:5003", "Location": "127.0.0.1:5003", "Insecure": True},
    }
    about = {"version": {"Version": "6.1.1"}, "registries": {"search": ["docker.io"], **registries}}
    podman.write_text(f'#!/bin/sh\n[ "$*" = "info --format json" ] && cat <<END\n{json.dumps(about)}\nEND\n')
    said = ask_podman([*registries, "127.0.0.1:5000", "localhost:5009"])
    assert said is not None
    assert said.obstacles == {
        "localhost:5000": None,
        "localhost:5001": "blocks localhost:5001",
        "127.0.0.1": None,
        "127.0.0.1:5001": "refuses plain HTTP for 127.0.0.1:5001",
        "localhost:5002": "sends pulls of localhost:5002 to a.example.com",
        "localhost:5003": None,
        "127.0.0.1:5000": None,
        "localhost:5009": "refuses plain HTTP for localhost:5009",
    }
    assert said.release == 6


@pytest.mark.parametrize("script", ["exit 125", "echo no JSON", "echo '[]'", "kill -9 $$"])
def test_a_program_that_does_not_answer_says_nothing(podman: Path, script: str) -> None:
    podman.write_text(f"#!/bin/sh\n{script}\n")
    assert ask_podman(BOTH) is None


def test_a_configuration_that_the_program_cannot_read_is_an_error(podman: Path) -> None:
    line = "Error: registry 'localhost:5000' is defined multiple times with conflicting 'insecure' setting"
    podman.write_text(f'#!/bin/sh\necho "time=now" >&2\necho "{line}" >&2\nexit 125\n')
    with pytest.raises(ConfigError) as caught:
        ask_podman(BOTH)
    assert caught.value.details == (line,)


def test_without_the_program_nothing_is_asked(podman: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    podman.unlink()
    monkeypatch.setenv("PATH", str(podman.parent))
    assert ask_podman(BOTH) is None


def run_in_machine(podman: Path, root: Path, *, before: str = "") -> Path:
    """Make the stand-in run what it is given as the machine's shell would, with another folder in place of /etc."""
    (root / "bin").mkdir()
    sudo = root / "bin/sudo"
    sudo.write_text('#!/bin/sh\nexec "$@"\n')
    sudo.chmod(0o755)
    podman.write_text(
        f'#!/bin/sh\n[ "$1 $2" = "machine ssh" ] || exit 1\nshift 2\n'
        f'PATH={root}/bin:$PATH\n{before}sh -c "$(echo "$*" | sed s,/etc/containers,{root}/etc,g)"\n'
    )
    return root / "etc/registries.conf.d"


def test_the_machine_gets_the_file_and_loses_it(podman: Path, tmp_path: Path) -> None:
    folder = run_in_machine(podman, tmp_path)
    text = '# it\'s "quoted" $HOME é\n' * 1000
    fix_machine(text)
    assert (folder / "50-localreg-system.conf").read_text() == text
    fix_machine("")
    assert list(folder.iterdir()) == []


def test_a_connection_that_breaks_leaves_the_machines_file_as_it_was(podman: Path, tmp_path: Path) -> None:
    folder = run_in_machine(podman, tmp_path, before="head -c 10 | ")
    folder.mkdir(parents=True)
    (folder / "50-localreg-system.conf").write_text("before")
    with pytest.raises(ConfigError, match=r"`/etc/containers/registries\.conf\.d/50-localreg-system\.conf`"):
        fix_machine("x" * 100)
    assert (folder / "50-localreg-system.conf").read_text() == "before"


def test_what_the_machine_says_is_passed_on(podman: Path) -> None:
    podman.write_text("#!/bin/sh\necho 'Error: vm podman-machine-default is not running' >&2; exit 125\n")
    with pytest.raises(ConfigError) as caught:
        fix_machine("x")
    assert caught.value.details == ("Error: vm podman-machine-default is not running",)
    assert caught.value.hint == "podman machine start"


def test_a_file_of_another_user_stays_theirs(machine: Machine) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    machine.drop_in.write_text("# theirs\n")
    os.chown(machine.drop_in, 4242, 4243)
    machine.fix()
    assert (machine.drop_in.stat().st_uid, machine.drop_in.stat().st_gid) == (4242, 4243)


def test_a_byte_order_mark_stays_at_the_beginning(machine: Machine) -> None:
    before = '\ufeff# mine\n[[registry]]\nlocation = "a.example.com"\n'
    machine.drop_in.write_text(before)
    apply_plan(machine.plan())
    after = machine.drop_in.read_text()
    assert after.startswith(before)
    assert after.count("\ufeff") == 1
    assert machine.permission() == machine.drop_in
    apply_plan(machine.plan(locations=[]))
    assert machine.drop_in.read_text() == before
