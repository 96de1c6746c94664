"""containerd's `hosts.toml` files: where they are, what they say, and that they are taken back exactly."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.clients.files import CONTAINERD_CONFIG, HOSTS_TOML, HOSTS_TOML_FOR_US
from support.clients.own_machine import alone, make_machine, put_file, put_program, take_tree, trust
from support.kills.at_changes import killed_at_each_change

from localreg.clients.containerd.client import Containerd
from localreg.clients.containerd.hosts_toml import hosts_toml, read_hosts
from localreg.clients.containerd.search import find_search
from localreg.clients.port import Machine, Target
from localreg.errors import ConfigError, EngineUnavailableError

CA = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
CERTS = "etc/containerd/certs.d"
FAR = "reg.test:5000"
NEAR = ("localhost:5000", "127.0.0.1:5000")
NEW = (2, 1)


def machine_in(root: Path) -> Machine:
    machine = alone(make_machine(root))
    put_program(machine, "nerdctl", "exit 1")
    (root / CERTS).mkdir(parents=True)
    return machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return machine_in(tmp_path)


def read(machine: Machine, path: str) -> str:
    return (machine.root / path).read_text()


def test_loopback_needs_nothing(machine: Machine) -> None:
    plan = Containerd(machine).plan(Target("registry", (*NEAR, "[::1]:5000")))
    assert plan.changes == ()
    assert set(plan.provided.values()) == {"loopback"}


@pytest.mark.parametrize("location", [FAR, "localhost:443", "192.0.2.1:5000", "localhost.test:5000"])
def test_other_plain_http_needs_a_file(machine: Machine, location: str) -> None:
    before = take_tree(machine)
    client = Containerd(machine)
    assert trust(client, location)
    text = read(machine, f"{CERTS}/{location}/hosts.toml")
    [endpoint] = read_hosts(text, Path(), release=NEW).endpoints
    assert (endpoint.url, endpoint.ca, endpoint.takes_pushes) == (f"http://{location}", (), True)
    assert not trust(client, location)
    assert trust(client)
    assert take_tree(machine) == before
    assert not trust(client)


def test_a_ca_lies_beside_its_file(machine: Machine) -> None:
    before = take_tree(machine)
    client = Containerd(machine)
    assert trust(client, *NEAR, ca=CA)
    for location in NEAR:
        text = read(machine, f"{CERTS}/{location}/hosts.toml")
        found = read_hosts(text, Path(), release=NEW)
        assert [endpoint.ca for endpoint in found.endpoints] == [("localreg-ca-registry.crt",)]
        assert read(machine, f"{CERTS}/{location}/localreg-ca-registry.crt") == CA
    assert not trust(client, *NEAR, ca=CA)
    assert trust(client, *NEAR, ca=CA.replace("MIIB", "MIIC"))
    assert "MIIC" in read(machine, f"{CERTS}/{NEAR[0]}/localreg-ca-registry.crt")
    # It speaks plain HTTP again.
    assert trust(client, *NEAR)
    assert take_tree(machine) == before


@pytest.mark.parametrize("location", [FAR, "[2001:db8::1]:5000"])
def test_a_folder_with_underscores_is_the_one_that_counts(machine: Machine, location: str) -> None:
    host, _, port = location.rpartition(":")
    folder = f"{CERTS}/{host}_{port}_"
    (machine.root / folder).mkdir()
    (machine.root / CERTS / location).mkdir()
    trust(Containerd(machine), location)
    assert f"http://{location}" in read(machine, f"{folder}/hosts.toml")


@pytest.mark.parametrize("found", ["_default", "localhost:5000"])
def test_an_empty_folder_changes_nothing_for_loopback(machine: Machine, found: str) -> None:
    (machine.root / CERTS / found).mkdir()
    assert not trust(Containerd(machine), "localhost:5000")


def test_a_wildcard_is_hidden_from_the_registry_and_from_no_other(machine: Machine) -> None:
    put_file(machine, f"{CERTS}/_default/hosts.toml", b'server = "https://mirror.test"\n')
    before = take_tree(machine)
    client = Containerd(machine)
    assert trust(client, "localhost:5000")
    assert 'server = "http://localhost:5000"' in read(machine, f"{CERTS}/localhost:5000/hosts.toml")
    trust(client)
    assert take_tree(machine) == before


@pytest.mark.parametrize("ca", [None, CA])
@pytest.mark.parametrize("shape", HOSTS_TOML)
def test_a_file_of_others_gets_a_host_and_comes_back(machine: Machine, shape: str, ca: str | None) -> None:
    content = HOSTS_TOML[shape].replace(b"HERE", FAR.encode())
    file = put_file(machine, f"{CERTS}/{FAR}/hosts.toml", content)
    file.chmod(0o640)
    before = take_tree(machine)
    client = Containerd(machine)
    assert trust(client, FAR, ca=ca)
    text = file.read_bytes().decode()
    assert text.startswith(content.decode().rstrip("\r\n"))
    url = f"{'https' if ca else 'http'}://{FAR}"
    found = read_hosts(text, file, release=NEW)
    assert url in [endpoint.url for endpoint in found.endpoints]
    assert found.fault is None
    assert found.values.get("server") == read_hosts(content.decode(), file, release=NEW).values.get("server")
    assert not trust(client, FAR, ca=ca)
    assert trust(client)
    assert take_tree(machine) == before
    assert file.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("shape", HOSTS_TOML_FOR_US)
def test_a_file_of_others_that_does_it_is_left_alone(machine: Machine, shape: str) -> None:
    put_program(machine, "ctr", "echo ctr github.com/containerd/containerd v1.7.32")
    file = put_file(machine, f"{CERTS}/{FAR}/hosts.toml", HOSTS_TOML_FOR_US[shape].replace(b"HERE", FAR.encode()))
    plan = Containerd(machine).plan(Target("registry", (FAR,)))
    assert (plan.changes, plan.obstacles, plan.provided) == ((), (), {FAR: str(file)})


def test_an_old_release_drops_a_file_without_a_host(machine: Machine) -> None:
    put_program(machine, "ctr", "echo ctr github.com/containerd/containerd v1.7.31")
    file = put_file(machine, f"{CERTS}/{FAR}/hosts.toml", f'server = "http://{FAR}"\n'.encode())
    before = take_tree(machine)
    assert trust(Containerd(machine), FAR)
    assert [endpoint.url for endpoint in read_hosts(file.read_text(), file, release=(1, 7, 31)).endpoints] == [
        f"http://{FAR}",
        f"http://{FAR}",
    ]
    trust(Containerd(machine))
    assert take_tree(machine) == before


def test_two_registries_and_two_addresses_keep_apart(machine: Machine) -> None:
    before = take_tree(machine)
    client = Containerd(machine)
    trust(client, FAR, "a.test:1", name="one", ca=CA)
    trust(client, "b.test:2", name="two")
    trust(client, "a.test:1", name="one", ca=CA)
    assert sorted(path.name for path in (machine.root / CERTS).iterdir()) == ["a.test:1", "b.test:2"]
    trust(client, name="one")
    assert [path.name for path in (machine.root / CERTS).iterdir()] == ["b.test:2"]
    trust(client, name="two")
    assert take_tree(machine) == before


@pytest.mark.parametrize(
    ("content", "fact"),
    [
        (b"[host", "not valid TOML"),
        (b'\xef\xbb\xbfserver = "https://a.test"\n', "byte order mark"),
        (b'server = "\xff"\n', "UTF-8"),
        (b'host = "a"\n', "cannot add"),
        (b'host = { "http://a.test" = {} }\n', "cannot add"),
    ],
)
def test_a_file_that_cannot_be_read_or_merged_is_left_alone(machine: Machine, content: bytes, fact: str) -> None:
    put_file(machine, f"{CERTS}/{FAR}/hosts.toml", content)
    before = take_tree(machine)
    with pytest.raises(ConfigError) as caught:
        trust(Containerd(machine), FAR)
    assert fact in caught.value.message
    assert f"{CERTS}/{FAR}/hosts.toml" in caught.value.message
    assert take_tree(machine) == before


@pytest.mark.parametrize(
    ("content", "said", "fact"),
    [
        (b'[host."https://m.test"]\ncapabilities = ["pull", "referrers"]\n', "v2.1.4", "referrers"),
        (b'[host."https://m.test"]\nskip_verify = "true"\n', "v1.7.24", "skip_verify"),
        (b'host."https://m.test".capabilities = ["pull"]\n', "v2.1.4", "https://m.test"),
        (b'[host."http://reg.test:5000"]\ncapabilities = ["pull"]\n', "v2.1.4", "pushes"),
    ],
)
def test_a_file_that_containerd_drops_is_an_obstacle(machine: Machine, content: bytes, said: str, fact: str) -> None:
    put_program(machine, "ctr", f"echo ctr github.com/containerd/containerd {said}")
    put_file(machine, f"{CERTS}/{FAR}/hosts.toml", content)
    [obstacle] = Containerd(machine).plan(Target("registry", (FAR,))).obstacles
    assert fact in obstacle.what


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'[host."https://m.test"]\ncapabilities = ["pull", "referrers"]\n', "v2.2.0"),
        (b'host."https://m.test".capabilities = ["pull"]\n', "v1.7.24"),
    ],
)
def test_what_a_release_reads_is_no_obstacle(machine: Machine, content: bytes, said: str) -> None:
    put_program(machine, "ctr", f"echo ctr github.com/containerd/containerd {said}")
    put_file(machine, f"{CERTS}/{FAR}/hosts.toml", content)
    assert Containerd(machine).plan(Target("registry", (FAR,))).obstacles == ()


@pytest.mark.parametrize("shape", CONTAINERD_CONFIG)
def test_the_configuration_of_the_cri_says_where_its_folders_are(machine: Machine, shape: str) -> None:
    config, folders, fact = CONTAINERD_CONFIG[shape]
    put_file(machine, "dump.toml", config.encode())
    put_program(machine, "containerd", f"case $1 in config) cat {machine.root}/dump.toml;; *) echo c c v1.7.1;; esac")
    assert find_search(machine).cri is None
    # Without a kubelet, the CRI is there and not used.
    put_program(machine, "kubelet", "exit 1")
    search = find_search(machine)
    wanted = [machine.root / path.lstrip("/") for path in (folders or f"/{CERTS}").split(":")]
    assert list(search.roots) == wanted
    assert (search.cri is None) == (fact is None)
    assert fact is None or (search.cri and fact in search.cri.what)
    obstacles = Containerd(machine).plan(Target("registry", (FAR,))).obstacles
    assert obstacles == ((search.cri,) if search.cri else ())
    # Without a file there is no need for a folder, but the CRI has to start.
    assert Containerd(machine).plan(Target("registry", NEAR)).obstacles == (obstacles if fact == "both" else ())


def test_since_2_2_the_cri_has_folders_by_default(machine: Machine) -> None:
    put_program(machine, "containerd", "case $1 in config) echo '[plugins.cri.registry]';; *) echo c c v2.2.0;; esac")
    search = find_search(machine)
    assert [str(root.relative_to(machine.root)) for root in search.roots] == [CERTS, "etc/docker/certs.d"]
    assert search.cri is None
    # Docker reads that folder as well, so nothing is added to it.
    put_file(machine, f"etc/docker/certs.d/{FAR}/ca.crt", CA.encode())
    trust(Containerd(machine), FAR)
    assert (machine.root / CERTS / FAR / "hosts.toml").exists()


def test_a_broken_file_without_lines_of_localreg_does_not_stop_untrust(machine: Machine) -> None:
    put_file(machine, f"{CERTS}/{FAR}/hosts.toml", b"[[[ {")
    before = take_tree(machine)
    assert not trust(Containerd(machine))
    assert take_tree(machine) == before


@pytest.mark.parametrize("ca", [None, CA])
@pytest.mark.parametrize("foreign", [None, HOSTS_TOML["CRLF"]])
@pytest.mark.parametrize("undo", [False, True])
def test_a_kill_leaves_nothing_that_another_run_cannot_finish(
    tmp_path: Path,
    ca: str | None,
    foreign: bytes | None,
    undo: bool,  # noqa: FBT001
) -> None:
    kills = 0
    machine = alone(make_machine(tmp_path))

    def prepare() -> None:
        nonlocal machine
        machine = machine_in(tmp_path / str(kills))
        if foreign is not None:
            put_file(machine, f"{CERTS}/{FAR}/hosts.toml", foreign)
        if undo:
            trust(Containerd(machine), FAR, ca=ca)

    def act() -> None:
        trust(Containerd(machine), *([] if undo else [FAR]), ca=ca)

    for _ in killed_at_each_change(prepare, act):
        kills += 1
        folder = machine.root / CERTS / FAR
        assert not folder.exists() or any(not path.name.startswith(".") for path in folder.iterdir())
        if (folder / "hosts.toml").exists() and "localreg-ca" in (folder / "hosts.toml").read_text():
            assert (folder / "localreg-ca-registry.crt").read_text() == CA
        act()
        trust(Containerd(machine))
        left = {path: data for path, data in take_tree(machine).items() if path.startswith(f"{CERTS}/")}
        expected = {} if foreign is None else {f"{CERTS}/{FAR}": None, f"{CERTS}/{FAR}/hosts.toml": foreign}
        assert left == expected


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("ctr: reg.test:5000/localreg/check:none: not found", None),
        ('level=fatal msg="pulling image: code = NotFound desc = a \\"b\\""', None),
        ('time="t" level=fatal msg="pulling image: failed \\"x\\"" a=b', 'pulling image: failed "x"'),
        ("ctr: pull access denied, repository does not exist or may require authorization", None),
        (
            'ctr: failed to do request: Head "https://reg.test:5000/v2/": x509: unknown',
            'Head "https://reg.test:5000/v2/": x509: unknown',
        ),
        (
            "ctr: unexpected status from HEAD request to http://x: 400 Bad Request",
            "unexpected status from HEAD request to http://x: 400 Bad Request",
        ),
    ],
)
def test_it_is_asked_itself(machine: Machine, said: str, wanted: str | None) -> None:
    put_program(machine, "ctr", f"echo '{said}' >&2; echo \"$*\" >>{machine.root}/asked; exit 1")
    assert Containerd(machine).check([FAR]) == {FAR: wanted and f"cannot use {FAR}: {wanted}"}
    asked = f"content fetch-object --hosts-dir {machine.root / CERTS} {FAR}/localreg/check:none"
    assert asked in read(machine, "asked").splitlines()


def test_a_registry_that_does_not_answer_says_nothing(machine: Machine) -> None:
    assert Containerd(machine).check([FAR]) is None
    put_program(machine, "ctr", "echo 'ctr: dial tcp 127.0.0.1:1: connect: connection refused' >&2; exit 1")
    assert Containerd(machine).check([FAR]) is None


def test_the_containerd_of_docker_is_not_a_client_of_its_own(tmp_path: Path) -> None:
    machine = alone(make_machine(tmp_path))
    client = Containerd(machine)
    assert not client.is_here()
    with pytest.raises(EngineUnavailableError):
        client.plan(Target("registry", NEAR))
    put_program(machine, "ctr", "exit 1")
    assert client.is_here()
    put_program(machine, "dockerd", "exit 1")
    assert not client.is_here()
    assert client.plan(Target("registry", NEAR)).provided
    put_program(machine, "nerdctl", "exit 1")
    assert client.is_here()


def test_the_text_for_a_node(tmp_path: Path) -> None:
    found = read_hosts(hosts_toml("http://registry:5000"), tmp_path, release=NEW)
    assert ([endpoint.url for endpoint in found.endpoints], found.fault) == (["http://registry:5000"], None)
    # Releases before 1.7.32 drop a file without it.
    assert "host" in found.values
    found = read_hosts(hosts_toml('https://a"b:1', ca="/etc/ca.crt"), tmp_path, release=NEW)
    assert [(endpoint.url, endpoint.ca) for endpoint in found.endpoints] == [('https://a"b:1', ("/etc/ca.crt",))]
