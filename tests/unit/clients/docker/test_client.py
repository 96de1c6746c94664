"""Docker is told only what it needs, and reads it without a restart."""

from __future__ import annotations

import ipaddress
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.clients.dockerd import PID, Dockerd
from support.rights import ordinary_user

from localreg.clients.docker.client import Docker, find_left_file
from localreg.clients.port import Machine, Target
from localreg.clients.trust import Trusted, find_trust, make_trust
from localreg.engines.plain_http import PlainHttp
from localreg.errors import ConfigError, EngineUnavailableError

LOCAL = ("localhost:5000", "127.0.0.1:5000")
LAN = "192.0.2.1:5000"
CA = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
LOOPBACK_NETWORKS = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
RANGES = ["127.0.0.0/8", "::1/128"]

Start = Callable[..., Dockerd]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Start:
    def started(text: str | None = None, **options: Any) -> Dockerd:
        folder = tmp_path / ("home/.config/docker" if options.get("rootless") else "etc/docker")
        folder.mkdir(parents=True)
        if text is not None:
            (folder / "daemon.json").write_text(text)
        daemon = Dockerd(tmp_path, **options)
        daemon.reached = dict.fromkeys([*LOCAL, LAN])
        monkeypatch.setattr(os, "kill", daemon.kill)
        return daemon

    return started


def trust(daemon: Dockerd, *places: str, name: str = "registry", ca: str | None = None) -> Trusted:
    return make_trust(Docker(daemon.machine), Target(name, places, ca))


def files(daemon: Dockerd) -> dict[str, str]:
    return {
        str(path.relative_to(daemon.folder)): path.read_text() for path in daemon.folder.rglob("*") if path.is_file()
    }


@pytest.mark.parametrize("containerd_store", [True, False])
def test_nothing_is_written_where_loopback_is_trusted(start: Start, *, containerd_store: bool) -> None:
    daemon = start('{"debug": true}', containerd_store=containerd_store)
    found = trust(daemon, *LOCAL)
    assert (found.plan.changes, found.plan.provided) == ((), dict.fromkeys(LOCAL, "loopback"))
    assert found.checked == dict.fromkeys(LOCAL)
    assert (files(daemon), daemon.reloads) == ({"daemon.json": '{"debug": true}'}, 0)


@pytest.mark.parametrize("closed", ["etc/docker", "etc/docker/daemon.json"])
@pytest.mark.parametrize("containerd_store", [True, False])
def test_configuration_that_only_root_may_read_is_needed_only_for_other_addresses(
    start: Start, tmp_path: Path, closed: str, *, containerd_store: bool
) -> None:
    daemon = start("{}", containerd_store=containerd_store)
    (tmp_path / closed).chmod(0)
    client = Docker(daemon.machine)
    with ordinary_user():
        assert client.plan(Target("registry", LOCAL)).provided == dict.fromkeys(LOCAL, "loopback")
        with pytest.raises(ConfigError, match="cannot read"):
            client.plan(Target("registry", (LAN,)))
    (tmp_path / closed).chmod(0o755)


def test_the_classic_store_reads_daemon_json_again_and_forgets(start: Start) -> None:
    daemon = start('{"debug": true}')
    found = trust(daemon, LAN)
    assert found.checked == {LAN: None}
    assert json.loads(daemon.file.read_text())["insecure-registries"] == [*RANGES, LAN]
    assert not trust(daemon, LAN).plan.changes
    assert daemon.reloads == 1
    trust(daemon)
    assert files(daemon) == {"daemon.json": '{"debug": true}'}
    assert Docker(daemon.machine).check([LAN]) == {LAN: f"uses HTTPS for {LAN}, which speaks plain HTTP"}


def test_no_entry_stands_alone(start: Start) -> None:
    """Since Docker 29.10 an entry takes plain HTTP on loopback away."""
    daemon = start(strict=True)
    trust(daemon, LAN)
    assert trust(daemon, *LOCAL, name="other").checked == dict.fromkeys(LOCAL)


def test_loopback_is_given_back_where_a_list_took_it_away(start: Start) -> None:
    before = '{"insecure-registries": ["a.test"]}'
    daemon = start(before, strict=True)
    assert trust(daemon, *LOCAL).checked == dict.fromkeys(LOCAL)
    assert json.loads(daemon.file.read_text())["insecure-registries"] == ["a.test", *RANGES]
    trust(daemon)
    assert daemon.file.read_text() == before


def test_a_list_that_lacks_loopback_is_not_widened_for_another_address(start: Start) -> None:
    daemon = start('{"insecure-registries": ["a.test"]}', strict=True)
    trust(daemon, LAN)
    assert json.loads(daemon.file.read_text())["insecure-registries"] == ["a.test", LAN]


def test_two_registries_share_the_ranges(start: Start) -> None:
    daemon = start()
    daemon.reached["192.0.2.1:5001"] = None
    trust(daemon, LAN, name="one")
    trust(daemon, "192.0.2.1:5001", name="two")
    trust(daemon, name="one")
    assert json.loads(daemon.file.read_text())["insecure-registries"] == [*RANGES, "192.0.2.1:5001"]
    trust(daemon, name="two")
    assert files(daemon) == {}


def test_containerds_store_reads_a_file_of_its_own(start: Start) -> None:
    daemon = start('{"debug": true}', containerd_store=True)
    assert trust(daemon, LAN).checked == {LAN: None}
    assert f'\nserver = "http://{LAN}"\n' in files(daemon)[f"certs.d/{LAN}/hosts.toml"]
    assert daemon.reloads == 0
    assert not trust(daemon, LAN).plan.changes
    trust(daemon)
    assert list((daemon.folder / "certs.d").iterdir()) == []


def test_the_store_may_change_in_between(start: Start) -> None:
    daemon = start('{"debug": true}')
    trust(daemon, LAN)
    daemon.containerd_store = True
    trust(daemon, LAN)
    assert set(files(daemon)) >= {f"certs.d/{LAN}/hosts.toml"}
    trust(daemon)
    assert files(daemon) == {"daemon.json": '{"debug": true}'}


@pytest.mark.parametrize("containerd_store", [True, False])
def test_a_certificate_authority_is_a_file_of_its_own(start: Start, *, containerd_store: bool) -> None:
    daemon = start(containerd_store=containerd_store)
    daemon.reached = {LAN: CA, "localhost:5000": CA}
    folder = daemon.folder / "certs.d" / LAN
    folder.mkdir(parents=True)
    (folder / "ca.crt").write_text("of others")
    found = trust(daemon, LAN, "localhost:5000", ca=CA)
    assert found.checked == {LAN: None, "localhost:5000": None}
    assert found.plan.provided == {"localhost:5000": "loopback"}
    assert (folder / "localreg-docker.crt").read_text().endswith(CA)
    trust(daemon)
    assert [path.name for path in folder.iterdir()] == ["ca.crt"]


def test_a_registry_that_gets_tls_loses_its_plain_http(start: Start) -> None:
    daemon = start(containerd_store=True)
    trust(daemon, LAN)
    daemon.reached[LAN] = CA
    assert trust(daemon, LAN, ca=CA).checked == {LAN: None}
    assert set(files(daemon)) == {f"certs.d/{LAN}/localreg-docker.crt"}
    trust(daemon)
    assert list((daemon.folder / "certs.d").iterdir()) == []


def test_a_file_of_others_is_left_alone(start: Start) -> None:
    daemon = start(containerd_store=True)
    hosts = daemon.folder / "certs.d" / LAN / "hosts.toml"
    hosts.parent.mkdir(parents=True)
    hosts.write_text('server = "https://elsewhere.test"\n')
    with pytest.raises(ConfigError) as caught:
        trust(daemon, LAN)
    assert str(hosts) in str(caught.value.hint)
    assert hosts.read_text() == 'server = "https://elsewhere.test"\n'
    hosts.write_text(f'server = "http://{LAN}"\n')
    assert trust(daemon, LAN).plan.provided == {LAN: str(hosts)}
    trust(daemon)
    assert hosts.exists()


def test_a_list_on_the_command_line_forbids_one_in_the_file(start: Start) -> None:
    """Docker would not start again."""
    daemon = start("{}", flags=("--insecure-registry", "a.test"))
    with pytest.raises(ConfigError) as caught:
        trust(daemon, LAN)
    assert f"--insecure-registry {LAN}" in str(caught.value.hint)
    assert daemon.file.read_text() == "{}"


@pytest.mark.parametrize("flags", [("--config-file", "{}"), ("--config-file={}",)])
def test_the_command_line_may_name_the_file(start: Start, tmp_path: Path, flags: tuple[str, ...]) -> None:
    other = tmp_path / "other.json"
    daemon = start(flags=tuple(flag.format(other) for flag in flags))
    plan = Docker(daemon.machine).plan(Target("registry", (LAN,)))
    assert [change.path for change in plan.changes] == [tmp_path / ".other.json.localreg", other]


def test_without_a_process_the_user_is_told_to_reload(start: Start) -> None:
    daemon = start()
    (daemon.root / "proc" / str(PID) / "comm").write_text("bash\n")
    with pytest.raises(ConfigError) as caught:
        trust(daemon, LAN)
    assert "HUP" in str(caught.value.hint) or "reload" in str(caught.value.hint)
    assert daemon.reloads == 0


def test_a_run_that_was_killed_before_docker_read_its_file_is_finished(start: Start) -> None:
    daemon = start("{}")
    for change in Docker(daemon.machine).plan(Target("registry", (LAN,))).changes:
        change.make()
    assert find_trust(Docker(daemon.machine), Target("registry", (LAN,))).checked != {LAN: None}
    assert trust(daemon, LAN).checked == {LAN: None}
    assert daemon.reloads == 1


def test_rootless_docker_reads_the_users_files(start: Start) -> None:
    daemon = start("{}", rootless=True)
    assert trust(daemon, LAN).checked == {LAN: None}
    assert daemon.reloads == 1
    trust(daemon)
    assert files(daemon) == {"daemon.json": "{}"}


def test_the_rules_tell_of_a_registry_that_does_not_run(start: Start) -> None:
    daemon = start()
    daemon.reached = {}
    asked = Docker(daemon.machine)
    assert asked.check([*LOCAL, LAN]) == {
        **dict.fromkeys(LOCAL),
        LAN: f"uses HTTPS for {LAN}, which speaks plain HTTP",
    }
    assert asked.check(LOCAL, ca=CA) is None


@pytest.mark.parametrize(
    ("place", "word"),
    [
        ("desktop", "Docker Desktop"),
        ("virtual machine", "virtual machine"),
        ("snap", "/var/snap/docker/current/config/daemon.json"),
        ("remote", "on the machine of Docker"),
        ("other user", "as the user who runs Docker"),
    ],
)
def test_elsewhere_nothing_is_written_and_the_command_is_said(
    start: Start, monkeypatch: pytest.MonkeyPatch, place: Any, word: str
) -> None:
    daemon = start()
    usual = daemon.info()
    rules = PlainHttp(networks=LOOPBACK_NETWORKS, place=place)
    monkeypatch.setattr(type(daemon), "info", lambda _: type(usual)("docker", "28.0.0", "fake:", plain_http=rules))
    plan = Docker(daemon.machine).plan(Target("registry", (*LOCAL, LAN)))
    assert (plan.changes, set(plan.provided)) == ((), set(LOCAL))
    assert word in plan.obstacles[0].cure
    with_ca = Docker(daemon.machine).plan(Target("registry", (LAN,), CA, Path("/x/ca.crt")))
    assert "/x/ca.crt" in with_ca.obstacles[0].cure


def test_a_file_that_is_not_valid_is_left_alone(start: Start) -> None:
    daemon = start("{}")
    daemon.file.write_text("{,}")
    with pytest.raises(ConfigError, match=r"daemon\.json"):
        trust(daemon, LAN)
    assert files(daemon) == {"daemon.json": "{,}"}


def test_what_localreg_added_goes_without_docker(start: Start) -> None:
    daemon = start('{"debug": true}')
    trust(daemon, LAN)
    (daemon.root / "var/run/docker.pid").unlink()

    def silent() -> Any:
        raise EngineUnavailableError("Docker did not answer")

    machine = Machine(daemon.machine.environ, daemon.root, silent)
    make_trust(Docker(machine), Target("registry", ()))
    assert files(daemon) == {"daemon.json": '{"debug": true}'}


def test_a_machine_without_docker_has_none(tmp_path: Path) -> None:
    machine = Machine({"PATH": str(tmp_path)}, tmp_path)
    assert not Docker(machine).is_here()
    (tmp_path / "dockerd").touch(mode=0o755)
    assert Docker(machine).is_here()


def test_what_is_left_of_a_registry_is_found(start: Start) -> None:
    daemon = start("{}")
    assert find_left_file("registry", daemon.machine) is None
    trust(daemon, LAN)
    assert find_left_file("registry", daemon.machine) == daemon.file
    assert find_left_file("other", daemon.machine) is None
    daemon.file.write_text("{,}")
    assert find_left_file("registry", daemon.machine) is None
