"""The `registries.yaml` of K3s: entries below its keys, which are taken back exactly."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from support.clients.files import REGISTRIES_YAML
from support.clients.own_machine import alone, make_machine, put_file, put_program, take_tree, trust
from support.kills.at_changes import killed_at_each_change

from localreg.clients.k3s.client import K3s
from localreg.clients.port import Machine, Target
from localreg.errors import ConfigError, EngineUnavailableError

CA = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
FOLDER = "etc/rancher/k3s"
FILE = f"{FOLDER}/registries.yaml"
FAR = "reg.test:5000"
SKIP = "{insecure_skip_verify: true}"
NEAR = ("localhost:5000", "127.0.0.1:5000", "[::1]:5000")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = alone(make_machine(tmp_path))
    (tmp_path / FOLDER).mkdir(parents=True)
    return machine


def values(machine: Machine) -> Mapping[str, Any]:
    found: Mapping[str, Any] = YAML(typ="safe", pure=True).load((machine.root / FILE).read_text("utf-8-sig")) or {}
    return found


def test_loopback_needs_nothing(machine: Machine) -> None:
    plan = K3s(machine).plan(Target("registry", NEAR))
    assert plan.changes == ()
    assert set(plan.provided.values()) == {"loopback"}


@pytest.mark.parametrize("shape", ["a wildcard and a rewrite"])
def test_a_wildcard_takes_loopback_away(machine: Machine, shape: str) -> None:
    put_file(machine, FILE, REGISTRIES_YAML[shape])
    trust(K3s(machine), NEAR[0])
    assert values(machine)["mirrors"][NEAR[0]] == {"endpoint": ["http://localhost:5000"]}


@pytest.mark.parametrize("location", [FAR, "localhost:443", "[2001:db8::1]:5000"])
def test_other_plain_http_needs_an_entry(machine: Machine, location: str) -> None:
    before = take_tree(machine)
    client = K3s(machine)
    plan = client.plan(Target("registry", (location,)))
    assert plan.notes == ("K3s reads its registries only when it starts",)
    assert plan.cures == ("sudo systemctl restart k3s",)
    assert trust(client, location)
    assert values(machine) == {"mirrors": {location: {"endpoint": [f"http://{location}"]}}}
    assert not trust(client, location)
    assert client.plan(Target("registry", (location,))).cures == ()
    assert trust(client)
    assert {**before, FOLDER: None} == {**take_tree(machine), FOLDER: None}


@pytest.mark.parametrize("ca", [None, CA])
@pytest.mark.parametrize("shape", REGISTRIES_YAML)
def test_a_file_of_others_gets_entries_and_comes_back(machine: Machine, shape: str, ca: str | None) -> None:
    content = REGISTRIES_YAML[shape].replace(b"HERE", FAR.encode())
    file = put_file(machine, FILE, content)
    file.chmod(0o600)
    before, was = take_tree(machine), values(machine)
    client = K3s(machine)
    assert trust(client, FAR, NEAR[0], ca=ca)
    found = values(machine)
    scheme = "https" if ca else "http"
    assert found["mirrors"][FAR] == {"endpoint": [f"{scheme}://{FAR}"]}
    for key in ("mirrors", "configs"):
        assert {name: each for name, each in (found.get(key) or {}).items() if name not in (FAR, NEAR[0])} == {
            name: each for name, each in (was.get(key) or {}).items() if name != FAR
        }
    if ca:
        assert found["configs"][FAR]["tls"] == {"ca_file": str(machine.root / FOLDER / "localreg-ca-registry.crt")}
        assert found["configs"][FAR].get("auth") == (((was.get("configs") or {}).get(FAR)) or {}).get("auth")
    lines = iter(file.read_bytes().splitlines())
    assert all(line in lines for line in content.splitlines())
    assert not trust(client, FAR, NEAR[0], ca=ca)
    assert trust(client)
    assert take_tree(machine) == before
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("shape", [None, *REGISTRIES_YAML])
@pytest.mark.parametrize("first", ["one", "two"])
def test_two_registries_keep_apart(machine: Machine, shape: str | None, first: str) -> None:
    if shape is not None:
        put_file(machine, FILE, REGISTRIES_YAML[shape])
    before = take_tree(machine)
    client = K3s(machine)
    trust(client, FAR, "a.reg.test:1", name="one", ca=CA)
    trust(client, "b.reg.test:2", name="two", ca=CA)
    assert not trust(client, FAR, "a.reg.test:1", name="one", ca=CA)
    assert {FAR, "a.reg.test:1", "b.reg.test:2"} <= values(machine)["configs"].keys() & values(machine)[
        "mirrors"
    ].keys()
    trust(client, name=first)
    assert (FAR in values(machine)["configs"], "b.reg.test:2" in values(machine)["configs"]) == (
        first == "two",
        first == "one",
    )
    trust(client, name="two" if first == "one" else "one")
    if shape is None:
        before.pop(FOLDER)
    assert take_tree(machine) == before


@pytest.mark.parametrize(
    ("content", "ca"),
    [
        (f"mirrors:\n  {FAR}:\n    endpoint: ['http://{FAR}/']\n", None),
        (f'mirrors: {{"{FAR}": {{endpoint: ["https://m.test", "http://{FAR}"]}}}}\n', None),
        (f"mirrors:\n  {FAR}:\n    endpoint: ['https://{FAR}']\nconfigs:\n  {FAR}:\n    tls: {{ca_file: CA}}\n", CA),
        (f"mirrors:\n  {FAR}: {{endpoint: ['https://{FAR}']}}\nconfigs: {{'{FAR}': {{tls: {SKIP}}}}}\n", CA),
    ],
)
def test_a_file_of_others_that_does_it_is_left_alone(machine: Machine, content: str, ca: str | None) -> None:
    ca_file = put_file(machine, "home/ca.crt", CA.encode())
    file = put_file(machine, FILE, content.replace("CA", str(ca_file)).encode())
    plan = K3s(machine).plan(Target("registry", (FAR,), ca))
    assert (plan.changes, plan.obstacles, plan.provided) == ((), (), {FAR: str(file)})


@pytest.mark.parametrize(
    ("content", "fact"),
    [
        (f"mirrors:\n  {FAR}:\n    endpoint: ['https://m.test']\n", "mirrors"),
        (f"configs:\n  {FAR}:\n    tls: {{ca_file: /nowhere}}\n", "configs"),
    ],
)
def test_an_entry_of_others_for_the_registry_is_an_obstacle(machine: Machine, content: str, fact: str) -> None:
    put_file(machine, FILE, content.encode())
    [obstacle] = K3s(machine).plan(Target("registry", (FAR,), CA)).obstacles
    assert fact in obstacle.what
    assert FAR in obstacle.what


@pytest.mark.parametrize(
    ("content", "fact"),
    [
        (b"mirrors: [", "not valid YAML"),
        (b"- a\n", "not a mapping"),
        (b"a: \xff\n", "UTF-8"),
        (b"mirrors: {}\n", "cannot add"),
        (b"mirrors: ~\n", "cannot add"),
        (b"mirrors:\n  a.test: {}\n...\n---\nmirrors: {}\n", "not valid YAML"),
        (b"{mirrors: {}}\n", "cannot add"),
    ],
)
def test_a_file_that_cannot_be_read_or_merged_is_left_alone(machine: Machine, content: bytes, fact: str) -> None:
    put_file(machine, FILE, content)
    before = take_tree(machine)
    with pytest.raises(ConfigError) as caught:
        trust(K3s(machine), FAR)
    assert fact in caught.value.message
    assert FILE in caught.value.message
    assert take_tree(machine) == before


def test_without_its_library_a_file_of_others_is_left_alone(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("ruamel"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    trust(K3s(machine), FAR)
    trust(K3s(machine))
    put_file(machine, FILE, REGISTRIES_YAML["mirrors"])
    with pytest.raises(ConfigError) as caught:
        trust(K3s(machine), FAR)
    assert caught.value.hint == "pip install 'localreg-cli[k3s]'"


def test_a_broken_file_without_lines_of_localreg_does_not_stop_untrust(machine: Machine) -> None:
    put_file(machine, FILE, b"[[[ {")
    before = take_tree(machine)
    assert not trust(K3s(machine))
    assert take_tree(machine) == before


@pytest.mark.parametrize("undo", [False, True])
def test_a_kill_leaves_nothing_that_another_run_cannot_finish(tmp_path: Path, undo: bool) -> None:  # noqa: FBT001
    kills = 0
    machine = alone(make_machine(tmp_path / "0"))

    def prepare() -> None:
        nonlocal machine
        machine = alone(make_machine(tmp_path / str(kills)))
        put_file(machine, FILE, REGISTRIES_YAML["mirrors"])
        if undo:
            trust(K3s(machine), FAR, ca=CA)

    def act() -> None:
        trust(K3s(machine), *([] if undo else [FAR]), ca=CA)

    for _ in killed_at_each_change(prepare, act):
        kills += 1
        if "configs" in values(machine):
            assert (machine.root / FOLDER / "localreg-ca-registry.crt").read_text() == CA
        act()
        trust(K3s(machine))
        assert [path.name for path in (machine.root / FOLDER).iterdir()] == ["registries.yaml"]
        assert (machine.root / FILE).read_bytes() == REGISTRIES_YAML["mirrors"]
    assert kills > 3


def test_its_containerd_is_asked_if_it_runs(machine: Machine) -> None:
    client = K3s(machine)
    put_program(machine, "k3s", f"echo \"$*\" >>{machine.root}/asked; echo 'rpc error: code = NotFound desc = x'")
    assert client.check([FAR]) is None
    put_file(machine, "run/k3s/containerd/containerd.sock", b"")
    assert client.check([FAR]) == {FAR: None}
    assert (machine.root / "asked").read_text() == f"crictl pull {FAR}/localreg/check:none\n"
    put_program(machine, "k3s", "echo 'http: server gave HTTP response to HTTPS client' >&2; exit 1")
    assert client.check([FAR]) == {FAR: f"cannot use {FAR}: http: server gave HTTP response to HTTPS client"}


def test_an_agent_has_a_service_of_another_name(machine: Machine) -> None:
    put_file(machine, "etc/systemd/system/k3s-agent.service", b"")
    assert K3s(machine).plan(Target("registry", (FAR,))).cures == ("sudo systemctl restart k3s-agent",)


def test_a_machine_without_k3s(tmp_path: Path) -> None:
    client = K3s(alone(make_machine(tmp_path)))
    assert not client.is_here()
    with pytest.raises(EngineUnavailableError):
        client.plan(Target("registry", (FAR,)))
    assert client.plan(Target("registry", ())).changes == ()
