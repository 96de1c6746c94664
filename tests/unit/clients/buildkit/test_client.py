"""BuildKit's `buildkitd.toml`, and localreg's builder, which a stand-in of `docker buildx` keeps like the real one."""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from support.clients.files import BUILDKITD_TOML
from support.clients.own_machine import alone, make_machine, put_file, put_program, take_tree, trust
from support.kills.at_changes import killed_at_each_change

from localreg.clients.buildkit.builders import list_builders
from localreg.clients.buildkit.client import BuildKit
from localreg.clients.port import Machine, Target
from localreg.clients.trust import make_trust
from localreg.errors import ConfigError, EngineUnavailableError

CA = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
FILE = "etc/buildkit/buildkitd.toml"
CA_FILE = "etc/buildkit/localreg-ca-registry.crt"
BUILDER = "home/.local/share/localreg/buildkit"
INSTANCES = "home/.docker/buildx/instances"
FAR = "reg.test:5000"
NEAR = ("localhost:5000", "127.0.0.1:5000")
BUILDX = Path(__file__).parents[3] / "support/clients/stand_in_buildx.py"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """With `buildkitd`, and without Docker."""
    machine = alone(make_machine(tmp_path))
    put_program(machine, "buildkitd", "exit 1")
    return machine


def with_buildx(root: Path) -> Machine:
    """With `docker buildx`, and without `buildkitd`."""
    machine = make_machine(root)
    put_program(machine, "docker", f'exec {sys.executable} -S {BUILDX} "$@"')
    return machine


def registries(machine: Machine, path: str = FILE) -> Mapping[str, Any]:
    found: Mapping[str, Any] = tomllib.loads((machine.root / path).read_text())["registry"]
    return found


def test_loopback_needs_nothing(machine: Machine) -> None:
    plan = BuildKit(machine).plan(Target("registry", (*NEAR, "[::1]:5000")))
    assert (plan.changes, plan.cures) == ((), ())
    assert set(plan.provided.values()) == {"loopback"}


def test_other_plain_http_needs_an_entry_and_a_restart(machine: Machine) -> None:
    before = take_tree(machine)
    client = BuildKit(machine)
    assert client.plan(Target("registry", (FAR,))).cures == ("sudo systemctl restart buildkit",)
    assert trust(client, FAR)
    # With `insecure` it would ask over HTTPS first, and not verify the certificate.
    assert registries(machine) == {FAR: {"http": True}}
    assert not trust(client, FAR)
    assert client.plan(Target("registry", (FAR,))).cures == ()
    assert trust(client)
    assert take_tree(machine) == before


def test_tls_on_loopback_needs_http_to_be_false(machine: Machine) -> None:
    before = take_tree(machine)
    client = BuildKit(machine)
    assert trust(client, *NEAR, ca=CA)
    wanted = {"http": False, "ca": [str(machine.root / CA_FILE)]}
    assert registries(machine) == dict.fromkeys(NEAR, wanted)
    assert (machine.root / CA_FILE).read_text() == CA
    assert not trust(client, *NEAR, ca=CA)
    assert trust(client, *NEAR, ca=CA.replace("MIIB", "MIIC"))
    assert trust(client)
    assert take_tree(machine) == before


@pytest.mark.parametrize("ca", [None, CA])
@pytest.mark.parametrize("shape", BUILDKITD_TOML)
def test_a_file_of_others_gets_entries_and_comes_back(machine: Machine, shape: str, ca: str | None) -> None:
    content = BUILDKITD_TOML[shape].replace(b"HERE", FAR.encode())
    file = put_file(machine, FILE, content)
    before, was = take_tree(machine), tomllib.loads(content.decode())
    client = BuildKit(machine)
    assert trust(client, FAR, "b.reg.test:1", ca=ca)
    found = tomllib.loads(file.read_bytes().decode())
    wanted = {"http": ca is None, **({"ca": [str(machine.root / CA_FILE)]} if ca else {})}
    assert found["registry"][FAR] == {**was.get("registry", {}).get(FAR, {}), **wanted}
    for place in (FAR, "b.reg.test:1"):
        found["registry"].pop(place)
        was.get("registry", {}).pop(place, None)
    assert {**found, "registry": found["registry"]} == {**was, "registry": was.get("registry", {})}
    assert not trust(client, FAR, "b.reg.test:1", ca=ca)
    assert trust(client)
    assert take_tree(machine) == before


@pytest.mark.parametrize(
    ("content", "ca"),
    [
        (f'[registry."{FAR}"]\nhttp = true\n', None),
        (f'registry = {{"{FAR}" = {{http = true}}}}\n', None),
        (f'[registry]\n"{FAR}".ca = ["CA"]\n', CA),
        (f'[registry."{FAR}"]\ninsecure = true\n', CA),
    ],
)
def test_a_file_of_others_that_does_it_is_left_alone(machine: Machine, content: str, ca: str | None) -> None:
    ca_file = put_file(machine, "home/ca.crt", CA.encode())
    file = put_file(machine, FILE, content.replace("CA", str(ca_file)).encode())
    plan = BuildKit(machine).plan(Target("registry", (FAR,), ca))
    assert (plan.changes, plan.obstacles, plan.provided) == ((), (), {FAR: str(file)})


@pytest.mark.parametrize(
    ("content", "ca", "fact"),
    [
        (f'[registry."{FAR}"]\nhttp = false\n', None, "http"),
        (f'[registry."{FAR}"]\ninsecure = true\n', None, "insecure"),
        (f'[registry."{FAR}"]\nca = []\n', CA, "ca"),
    ],
)
def test_an_entry_of_others_for_the_registry_is_an_obstacle(
    machine: Machine, content: str, ca: str | None, fact: str
) -> None:
    put_file(machine, FILE, content.encode())
    plan = BuildKit(machine).plan(Target("registry", (FAR,), ca))
    [obstacle] = plan.obstacles
    assert (f"`{fact}`" in obstacle.what, plan.changes) == (True, ())


@pytest.mark.parametrize(
    ("content", "fact"),
    [
        (b"[registry", "not valid TOML"),
        (b"\xef\xbb\xbfdebug = true\n", "not valid TOML"),
        (b'root = "\xff"\n', "UTF-8"),
        (b'[[registry."docker.io"]]\n[[registry."reg.test:5000"]]\n', "cannot add"),
        (b'registry = {"a.test" = {http = true}}\n', "cannot add"),
        (b"registry = 1\n", "not a table"),
    ],
)
def test_a_file_that_cannot_be_read_or_merged_is_left_alone(machine: Machine, content: bytes, fact: str) -> None:
    put_file(machine, FILE, content)
    before = take_tree(machine)
    with pytest.raises(ConfigError) as caught:
        trust(BuildKit(machine), FAR)
    assert fact in caught.value.message
    assert FILE in caught.value.message
    assert take_tree(machine) == before


def test_a_broken_file_without_lines_of_localreg_does_not_stop_untrust(machine: Machine) -> None:
    put_file(machine, FILE, b"[[[ {")
    before = take_tree(machine)
    assert not trust(BuildKit(machine))
    assert take_tree(machine) == before


@pytest.mark.parametrize("undo", [False, True])
def test_a_kill_leaves_nothing_that_another_run_cannot_finish(tmp_path: Path, undo: bool) -> None:  # noqa: FBT001
    kills = 0
    shape = BUILDKITD_TOML["an indent, CRLF"]
    machine = alone(make_machine(tmp_path / "0"))

    def prepare() -> None:
        nonlocal machine
        machine = alone(make_machine(tmp_path / str(kills)))
        put_file(machine, FILE, shape)
        if undo:
            trust(BuildKit(machine), FAR, ca=CA)

    def act() -> None:
        trust(BuildKit(machine), *([] if undo else [FAR]), ca=CA)

    for _ in killed_at_each_change(prepare, act):
        kills += 1
        if FAR in registries(machine):
            assert (machine.root / CA_FILE).read_text() == CA
        act()
        trust(BuildKit(machine))
        assert take_tree(machine) == {"etc": None, "etc/buildkit": None, FILE: shape, "home": None}
    assert kills > 3


def test_a_user_has_a_file_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    machine = alone(make_machine(tmp_path))
    (tmp_path / "home/.config/buildkit").mkdir(parents=True)
    plan = BuildKit(machine).plan(Target("registry", (FAR,)))
    assert [change.path for change in plan.changes] == [tmp_path / "home/.config/buildkit/buildkitd.toml"]
    assert plan.cures == ("systemctl --user restart buildkit",)


def test_the_builder_is_made_once_and_goes_with_the_last_registry(tmp_path: Path) -> None:
    machine = with_buildx(tmp_path)
    client = BuildKit(machine)
    assert not client.is_here()
    plan = client.plan(Target("registry", NEAR))
    assert plan.cures == ("docker buildx use localreg",)
    client.apply(plan)
    [builder] = list_builders(machine)
    assert (builder.name, builder.on_host) == ("localreg", True)
    assert builder.registries == {place: {"http": True} for place in NEAR}
    made = (tmp_path / "calls").read_text()
    assert not trust(client, *NEAR)
    assert (tmp_path / "calls").read_text() == made
    trust(client, FAR, name="other", ca=CA)
    [builder] = list_builders(machine)
    assert builder.registries[FAR] == {"http": False, "ca": [CA]}
    assert "buildx rm --force --keep-state localreg" in (tmp_path / "calls").read_text()
    # A new certificate has the same path.
    trust(client, FAR, name="other", ca=CA.replace("MIIB", "MIIC"))
    assert "MIIC" in list_builders(machine)[0].registries[FAR]["ca"][0]
    trust(client, name="registry")
    assert list_builders(machine)[0].registries.keys() == {FAR}
    trust(client, name="other")
    assert list_builders(machine) == []
    assert not (tmp_path / BUILDER).exists()
    assert (tmp_path / "calls").read_text().splitlines()[-1] == "buildx rm --force localreg"


def test_a_folder_of_data_that_is_relative_does_not_count(tmp_path: Path) -> None:
    machine = with_buildx(tmp_path)
    machine = Machine({**machine.environ, "XDG_DATA_HOME": "here"}, machine.root)
    trust(BuildKit(machine), *NEAR)
    assert (tmp_path / BUILDER).exists()


def test_buildx_reads_no_ipv6_address(tmp_path: Path) -> None:
    machine, there = with_buildx(tmp_path), "[fd00::1]:5000"
    client = BuildKit(machine)
    plan = client.plan(Target("registry", (FAR, there)))
    client.apply(plan)
    assert list_builders(machine)[0].registries.keys() == {FAR}
    assert [there in obstacle.what for obstacle in plan.obstacles] == [True]
    with pytest.raises(ConfigError, match="reads no IPv6 address"):
        make_trust(client, Target("registry", (there,)))
    assert list_builders(machine) == []


def test_a_lost_builder_is_made_again(tmp_path: Path) -> None:
    client = BuildKit(machine := with_buildx(tmp_path))
    trust(client, *NEAR)
    (tmp_path / INSTANCES / "localreg").unlink()
    assert not trust(client, *NEAR)
    assert [builder.name for builder in list_builders(machine)] == ["localreg"]
    # The user removed it, which is as good.
    (tmp_path / INSTANCES / "localreg").unlink()
    trust(client)
    assert list_builders(machine) == []
    assert not (tmp_path / BUILDER).exists()


@pytest.mark.parametrize("undo", [False, True])
def test_a_kill_leaves_no_builder_that_another_run_cannot_bring_up_to_date(tmp_path: Path, undo: bool) -> None:  # noqa: FBT001
    kills = 0
    machine = with_buildx(tmp_path)

    def prepare() -> None:
        nonlocal machine
        machine = with_buildx(tmp_path / str(kills))
        trust(BuildKit(machine), FAR, ca=CA)

    def act() -> None:
        trust(BuildKit(machine), *([] if undo else NEAR))

    for _ in killed_at_each_change(prepare, act):
        kills += 1
        act()
        assert [builder.registries.keys() for builder in list_builders(machine)] == ([] if undo else [set(NEAR)])
        trust(BuildKit(machine))
        assert list_builders(machine) == []
        assert not (machine.root / BUILDER).exists()
    assert kills > 3


def test_builders_of_the_user_stay_as_they_are(tmp_path: Path) -> None:
    machine = with_buildx(tmp_path)
    for name, options in (("mine", None), ("hosted", {"network": "host"})):
        node = {"Name": f"{name}0", "DriverOpts": options, "Files": None}
        about = {"Name": name, "Driver": "docker-container", "Nodes": [node]}
        put_file(machine, f"{INSTANCES}/{name}", json.dumps(about).encode())
    put_file(machine, f"{INSTANCES}/other", b'{"Name": "other", "Driver": "kubernetes", "Nodes": []}')
    put_file(machine, f"{INSTANCES}/broken", b"{")
    before = take_tree(machine)
    client = BuildKit(machine)
    assert client.is_here()
    [note] = client.plan(Target("registry", NEAR)).notes
    assert "`mine`" in note
    assert "`docker buildx use localreg`" in note
    assert client.plan(Target("registry", (FAR,))).notes == ()
    trust(client, *NEAR)
    trust(client)
    after = take_tree(machine)
    assert {path: after[path] for path in before if path.startswith(INSTANCES)} == {
        path: data for path, data in before.items() if path.startswith(INSTANCES)
    }


def test_a_builder_of_the_same_name_that_localreg_did_not_make_stays(tmp_path: Path) -> None:
    machine = with_buildx(tmp_path)
    about = {"Name": "localreg", "Driver": "docker-container", "Nodes": [{"Name": "localreg0", "Files": None}]}
    put_file(machine, f"{INSTANCES}/localreg", json.dumps(about).encode())
    before = take_tree(machine)
    client = BuildKit(machine)
    [obstacle] = client.plan(Target("registry", NEAR)).obstacles
    assert "did not make" in obstacle.what
    trust(client, *NEAR)
    trust(client)
    # buildx was asked for its version only.
    assert take_tree(machine) == before


def test_what_buildx_refuses_is_said_with_the_command(tmp_path: Path) -> None:
    machine = with_buildx(tmp_path)
    put_file(machine, "refuses", b"")
    with pytest.raises(ConfigError) as caught:
        trust(BuildKit(machine), *NEAR)
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("docker buildx create --name localreg --driver docker-container")
    assert caught.value.details == ("ERROR: no space left",)


def test_a_buildkitd_that_runs_is_asked(machine: Machine) -> None:
    client = BuildKit(machine)
    assert client.check([FAR]) is None
    asked = f"case $1 in debug) echo w;; *) cat ${{7#dockerfile=}}/Dockerfile >>{machine.root}/asked"
    put_program(
        machine, "buildctl", f"{asked}; echo 'error: x: {FAR}/localreg/check:none: not found' >&2; exit 1;; esac"
    )
    del asked
    assert client.check([FAR]) == {FAR: None}


def test_a_machine_without_buildkit(tmp_path: Path) -> None:
    client = BuildKit(alone(make_machine(tmp_path)))
    assert not client.is_here()
    with pytest.raises(EngineUnavailableError):
        client.plan(Target("registry", NEAR))
    assert client.plan(Target("registry", ())).changes == ()
