"""Each check with a fault that makes it find something, and without one: an engine in memory, a registry here."""

from __future__ import annotations

import base64
import json
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.engines.fake import FakeEngine
from support.registries.fake import FakeRegistry
from support.registries.tree import Tree
from unit.doctor.conftest import start

from localreg.clients.port import Plan, Target
from localreg.doctor.check import Outcome
from localreg.doctor.checks import CHECKS, choose_checks
from localreg.doctor.finding import Finding, Severity
from localreg.doctor.run import Run, make
from localreg.doctor.scene import Scene
from localreg.engines.common.messages import check_answer
from localreg.engines.values import ContainerSpec, ContainerState, EngineInfo, EngineName
from localreg.errors import ConfigError, EngineUnavailableError, Unavailable
from localreg.registry.container import HELPER_LABEL, replaced_name
from localreg.registry.tls import TlsFacts
from localreg.registry.volume_layout import data_of
from localreg.tunnels.spec import TunnelSpec, TunnelState, TunnelStatus

Findings = Callable[[str], tuple[Finding, ...]]


def words(finding: Finding) -> str:
    return " | ".join((finding.what, finding.why, *finding.cures, *finding.details))


def test_with_everything_in_order_no_check_finds_anything(scene: Scene, tree: Tree, registry: FakeRegistry) -> None:
    digest = tree.image("app", layers=[b"layer"])
    tree.tag("app", "1", digest)
    registry.tags["app"] = {"1": digest}
    registry.answers["/v2/app/manifests/1"] = (b"{}", {"Docker-Content-Digest": digest})
    before = sorted(tree.folder.rglob("*"))
    checks = [check for check in CHECKS if check.name != "trust"]
    found = {outcome.check.name: outcome for outcome in Run(checks, scene).outcomes()}
    assert [words(one) for outcome in found.values() for one in outcome.findings] == []
    assert {name: outcome.not_possible for name, outcome in found.items() if outcome.not_possible} == {}
    assert {name for name, outcome in found.items() if outcome.not_needed} == {"certificate", "tunnels"}
    assert sorted(tree.folder.rglob("*")) == before, "a check left something behind"


def test_without_an_engine_that_is_the_one_finding() -> None:
    error = EngineUnavailableError("no container engine answered", hint="sudo systemctl start docker")
    scene = Scene("registry", no_engine=error)
    found = {check.name: make(check, scene) for check in CHECKS}
    (finding,) = (one for outcome in found.values() for one in outcome.findings)
    assert (finding.what, finding.cures) == (error.message, ("sudo systemctl start docker",))
    assert found["registry"].not_possible == "no engine answers"


def test_what_is_known_of_an_engines_own_message_comes_first() -> None:
    reason = '`podman system service` ended with exit code 1: level=fatal msg="Cgroups v1 not supported"'
    probe = Unavailable("podman", "/usr/bin/podman", reason, "podman info")
    scene = Scene("registry", no_engine=EngineUnavailableError("no container engine answered", probes=[probe]))
    (finding,) = make(next(check for check in CHECKS if check.name == "engine"), scene).findings
    assert "systemd.unified_cgroup_hierarchy=1" in finding.cures[0]
    assert finding.cures[1] == "podman info"


def test_an_engine_that_stopped_responding(findings: Findings, engine: FakeEngine) -> None:
    assert findings("engine") == ()
    engine.lost.set()
    assert "stopped responding" in findings("engine")[0].what


def test_no_registry_at_all(findings: Findings, engine: FakeEngine) -> None:
    engine.remove_container("registry")
    (finding,) = findings("registry")
    assert (finding.cures, finding.is_safe) == (("localreg up",), False)


@pytest.mark.parametrize(("ours", "cure"), [(True, "localreg up"), (False, "docker start registry")])
def test_a_stopped_registry(findings: Findings, engine: FakeEngine, port: int, *, ours: bool, cure: str) -> None:
    engine.remove_container("registry")
    start(engine, port, ours=ours)
    engine.stop_container("registry")
    (finding,) = findings("registry")
    assert "is stopped" in finding.what
    assert (finding.cures, finding.is_safe) == ((cure,), ours)


def test_a_registry_that_ended_with_an_error_shows_the_end_of_its_log(findings: Findings, engine: FakeEngine) -> None:
    engine.stop_container("registry")
    engine.change("registry", exit_code=2)
    (finding,) = findings("registry")
    assert "with exit code 2" in finding.what
    assert "to stderr" in finding.details


def test_a_registry_that_does_not_answer(findings: Findings, registry: FakeRegistry) -> None:
    registry.faults["/v2/"] = "500"
    (finding,) = findings("registry")
    assert "does not answer" in finding.what
    assert finding.details


def test_a_registry_that_speaks_tls(findings: Findings, registry: FakeRegistry) -> None:
    registry.faults["/v2/"] = "tls"
    assert "speaks TLS" in findings("registry")[0].what


def test_a_container_without_its_port(findings: Findings, engine: FakeEngine) -> None:
    engine.change("registry", ports=())
    (finding,) = findings("registry")
    assert (finding.cures, finding.is_safe) == (("localreg up",), True)


def test_settings_of_an_older_release(findings: Findings, engine: FakeEngine) -> None:
    engine.change("registry", environment={"REGISTRY_STORAGE_CACHE_BLOBDESCRIPTOR": "inmemory"})
    (finding,) = findings("registry")
    assert (finding.severity, finding.is_safe) == (Severity.WARNING, False)
    assert finding.cures == ("localreg up --recreate",)
    assert all(word in finding.what for word in ("deleting disabled", "cache", "secret"))


@pytest.mark.parametrize(
    "environment",
    [{"REGISTRY_STORAGE_MAINTENANCE_READONLY": '{"enabled":true}'}, {"REGISTRY_PROXY_REMOTEURL": "https://x.example"}],
)
def test_a_registry_that_takes_no_pushes(
    findings: Findings, engine: FakeEngine, port: int, environment: dict[str, str]
) -> None:
    engine.remove_container("registry")
    start(engine, port, ours=False, environment=environment)
    assert "takes no pushes" in findings("registry")[0].why


def test_no_restart_policy(findings: Findings, engine: FakeEngine) -> None:
    engine.change("registry", restarts=False)
    (finding,) = findings("registry")
    assert finding.cures == ("docker update --restart unless-stopped registry",)
    assert finding.severity is Severity.WARNING


def test_podman_that_starts_nothing_after_a_reboot(monkeypatch: pytest.MonkeyPatch, port: int, tree: Tree) -> None:
    del tree
    engine = FakeEngine(EngineInfo("podman", "5.8.6", "fake:", rootless=True))
    engine.add_image("registry:2.8.3")
    start(engine, port)
    monkeypatch.setattr("localreg.doctor.registry.reboot_command", lambda _info: "systemctl --user enable x")
    outcome = make(next(check for check in CHECKS if check.name == "registry"), Scene("registry", engine=engine))
    assert [finding.cures for finding in outcome.findings] == [("systemctl --user enable x",)]


def test_another_program_has_the_port_of_a_stopped_registry(findings: Findings, engine: FakeEngine, port: int) -> None:
    engine.stop_container("registry")
    (finding,) = findings("port")
    # The registry of the test is that program.
    assert f"port {port} of the registry is taken by" in finding.what
    assert f"(pid {os.getpid()})" in finding.what
    assert finding.cures[1].startswith("localreg up --recreate --port ")


def test_another_program_answers_instead_of_the_registry(findings: Findings, registry: FakeRegistry) -> None:
    registry.faults["/v2/"] = "html"
    (finding,) = findings("port")
    assert f"(pid {os.getpid()})" in finding.what
    assert "not the registry" in finding.what


def test_nothing_listens_at_the_port(findings: Findings, engine: FakeEngine) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        unused = free.getsockname()[1]
    container = engine.find_container("registry")
    assert container is not None
    engine.remove_container("registry")
    start(engine, unused)
    (finding,) = findings("port")
    assert "nothing listens" in finding.what


@pytest.mark.parametrize(("found", "count"), [({"127.0.0.1", "::1"}, 0), ({"::1"}, 1), (set(), 1), ({"192.0.2.7"}, 1)])
def test_localhost_that_leads_elsewhere(
    findings: Findings, monkeypatch: pytest.MonkeyPatch, found: set[str], count: int
) -> None:
    monkeypatch.setattr("localreg.doctor.localhost.resolve", lambda _name: found)
    assert len(findings("localhost")) == count


def test_another_program_on_the_ipv6_loopback(findings: Findings, port: int) -> None:
    with socket.socket(socket.AF_INET6) as other:
        other.bind(("::1", port))
        other.listen()
        (finding,) = findings("localhost")
    assert finding.severity is Severity.WARNING
    assert f"[::1]:{port}" in finding.what


def test_a_registry_on_loopback_that_answers_elsewhere(findings: Findings, monkeypatch: pytest.MonkeyPatch) -> None:
    # Another loopback address stands for one on the network.
    monkeypatch.setattr("localreg.doctor.reach.own_addresses", lambda: ["127.0.0.1"])
    (finding,) = findings("reach")
    assert "also answers at 127.0.0.1" in finding.what


@pytest.mark.parametrize(
    ("ours", "host", "severity"),
    [
        (True, "127.0.0.1", Severity.PROBLEM),
        (True, "0.0.0.0", Severity.WARNING),
        (False, "127.0.0.1", Severity.WARNING),
    ],
)
def test_a_registry_that_is_published_beyond_loopback(
    findings: Findings, engine: FakeEngine, port: int, *, ours: bool, host: str, severity: Severity
) -> None:
    engine.remove_container("registry")
    start(engine, port, ours=ours, host=host)
    container = engine.find_container("registry")
    assert container is not None
    bound = container.ports[0]
    wide = type(bound)(bound.container_port, type(bound.bound)("0.0.0.0", port), bound.from_host)
    engine.change("registry", ports=(wide,))
    (finding,) = findings("reach")
    assert finding.severity is severity


def test_another_registry_answers_than_the_one_in_the_container(
    findings: Findings, registry: FakeRegistry, engine: FakeEngine, tree: Tree
) -> None:
    assert findings("writable") == ()
    registry.stores_in = None
    (finding,) = findings("writable")
    assert "another registry answers" in finding.what
    assert engine.find_container("registry") is not None
    assert list(tree.root.glob("repositories/*")) == []


@pytest.mark.parametrize(("where", "fault"), [("/v2/localreg-doctor/blobs/uploads/", "500"), ("PATCH", "500")])
def test_a_registry_that_cannot_store(
    findings: Findings, registry: FakeRegistry, tree: Tree, where: str, fault: str
) -> None:
    registry.faults[where] = fault
    (finding,) = findings("writable")
    assert "does not take an upload" in finding.what
    assert list(tree.root.glob("repositories/*")) == []


def test_an_upload_is_refused(findings: Findings, registry: FakeRegistry) -> None:
    registry.refuses_pushes = b""
    assert "read-only" in findings("writable")[0].what


def test_without_a_shell_no_upload_is_begun(
    findings: Findings, outcome: Callable[[str], Outcome], engine: FakeEngine, registry: FakeRegistry
) -> None:
    engine.shell_less.add("registry:2.8.3")
    assert findings("writable") == ()
    assert [request for request in registry.requests if "uploads" in request] == []
    for name in ("disk", "uploads"):
        assert "cannot read the registry's volume" in str(outcome(name).not_possible)
    registry.refuses_pushes = b""
    assert "read-only" in findings("writable")[0].what


@pytest.mark.parametrize(
    ("free", "severity"), [(50 << 30, None), (1 << 30, Severity.WARNING), (50 << 20, Severity.PROBLEM)]
)
def test_a_full_disk(findings: Findings, monkeypatch: pytest.MonkeyPatch, free: int, severity: Severity | None) -> None:
    monkeypatch.setattr("localreg.registry.volume_shell.ExecVolume.free_space", lambda _self: free)
    assert [finding.severity for finding in findings("disk")] == ([severity] if severity else [])


@pytest.mark.parametrize(("age", "size", "count"), [(7200, 200 << 20, 1), (10, 200 << 20, 0), (7200, 10, 0)])
@pytest.mark.parametrize("has_start", [True, False])
def test_unfinished_uploads(
    findings: Findings, tree: Tree, age: int, size: int, count: int, *, has_start: bool
) -> None:
    folder = tree.root / "repositories/app/_uploads/abc"
    folder.mkdir(parents=True)
    with (folder / "data").open("wb") as file:
        file.truncate(size)
    if has_start:
        (folder / "startedat").touch()
    for path in folder.iterdir():
        os.utime(path, (time.time() - age,) * 2)
    found = findings("uploads")
    assert len(found) == count
    assert all(("localreg gc" in finding.cures) is not has_start for finding in found)


def test_broken_tags(scene: Scene, tree: Tree, registry: FakeRegistry) -> None:
    check = next(check for check in CHECKS if check.name == "tags")
    for repository, content in (("good", b"1"), ("no-layer", b"2"), ("no-manifest", b"3"), ("cut", b"4" * 100)):
        digest = tree.image(repository, layers=[content])
        tree.tag(repository, "1", digest)
        registry.tags[repository] = {"1": digest}
        registry.answers[f"/v2/{repository}/manifests/1"] = (b"{}", {"Docker-Content-Digest": digest})
    assert make(check, scene).findings == ()
    (tree.folder / data_of(tree.digest(b"2"))).unlink()
    (tree.folder / data_of(tree.digest(b"4" * 100))).write_bytes(b"4")
    link = next((tree.root / "repositories/no-manifest/_manifests/revisions").rglob("link"))
    link.unlink()
    (finding,) = make(check, scene).findings
    assert finding.what == "3 tags are broken: `cut:1`, `no-layer:1`, `no-manifest:1`"
    assert finding.cures[-1] == "localreg rm cut:1 no-layer:1 no-manifest:1"
    assert "1 bytes instead of 100" in finding.details[0]


def test_an_engine_that_does_not_reach_the_registry(findings: Findings, engine: FakeEngine, location: str) -> None:
    assert findings("engine-view") == ()
    del engine.registries[location]
    (finding,) = findings("engine-view")
    assert location in finding.what
    assert "connection refused" in finding.details[0]


def test_an_engine_that_does_not_trust_the_certificate_is_told(
    findings: Findings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reach(_: FakeEngine, registry: str, *, plain_http: bool) -> None:
        del plain_http
        check_answer(registry, "x509: certificate signed by unknown authority")

    monkeypatch.setattr(FakeEngine, "reach_registry", reach)
    (finding,) = findings("engine-view")
    assert (finding.cures, finding.is_safe) == (("localreg trust docker",), True)


def test_a_missing_credential_helper(findings: Findings, tmp_path: Path) -> None:
    assert findings("credentials") == ()
    (tmp_path / "config.json").write_text(json.dumps({"credsStore": "of-a-test"}))
    (finding,) = findings("credentials")
    assert "docker-credential-of-a-test" in finding.what


def test_a_login_that_is_not_stored(findings: Findings, registry: FakeRegistry) -> None:
    registry.needs_login = True
    (finding,) = findings("credentials")
    assert "wants a login, and none is stored" in finding.what
    assert "localreg login" in finding.cures


def test_a_login_that_is_not_accepted_is_one_finding(
    scene: Scene, registry: FakeRegistry, location: str, tmp_path: Path
) -> None:
    registry.needs_login = True
    stored = {"auths": {location: {"auth": base64.b64encode(b"me:wrong").decode()}}}
    (tmp_path / "config.json").write_text(json.dumps(stored))
    outcomes = [make(check, scene) for check in CHECKS if check.name in ("credentials", "clock", "writable", "tags")]
    assert [len(outcome.findings) for outcome in outcomes] == [1, 0, 0, 0]
    (finding,) = outcomes[0].findings
    assert finding.what.endswith("does not accept the stored one")
    assert finding.cures == ("localreg login", "localreg auth add me")
    assert {outcome.not_possible for outcome in outcomes[1:]} == {"no stored login is accepted"}


@pytest.mark.parametrize(("hours", "word"), [(0, None), (3, "behind"), (-3, "ahead of")])
def test_a_clock_that_is_wrong(
    findings: Findings, monkeypatch: pytest.MonkeyPatch, hours: int, word: str | None
) -> None:
    now = datetime.now(UTC) - timedelta(hours=hours)
    monkeypatch.setattr("localreg.doctor.clock.read_clock", lambda _client: now)
    found = findings("clock")
    assert len(found) == (1 if word else 0)
    assert all(str(word) in finding.what for finding in found)


@pytest.mark.parametrize(("days", "severity"), [(300, None), (10, Severity.WARNING), (-1, Severity.PROBLEM)])
def test_a_certificate_that_ends(
    findings: Findings, monkeypatch: pytest.MonkeyPatch, days: int, severity: Severity | None
) -> None:
    facts = TlsFacts("", datetime.now(UTC) + timedelta(days=days))
    monkeypatch.setattr("localreg.doctor.certificate.tls_of", lambda _registry: facts)
    assert [finding.severity for finding in findings("certificate")] == ([severity] if severity else [])


def spec_of(url: str) -> TunnelSpec:
    return TunnelSpec("ci@build", 5000, registry="registry", location="localhost:5000", url=url)


@pytest.mark.parametrize(
    ("state", "severity"),
    [("open", None), ("not verified", None), ("not answering", Severity.WARNING), ("waiting", Severity.PROBLEM)],
)
def test_a_tunnel_that_is_not_open(
    findings: Findings,
    registry: FakeRegistry,
    monkeypatch: pytest.MonkeyPatch,
    state: TunnelState,
    severity: Severity | None,
) -> None:
    status = TunnelStatus(spec_of(registry.base_url), 1, state, reason="ssh ended")
    monkeypatch.setattr("localreg.doctor.tunnels.ask_tunnels_to", lambda _name: [status])
    found = findings("tunnels")
    assert [finding.severity for finding in found] == ([severity] if severity else [])
    assert all(
        finding.cures == ("localreg tunnel close ci@build", "localreg tunnel open ci@build") for finding in found
    )


def test_a_tunnel_to_the_port_of_before(findings: Findings, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = spec_of("http://127.0.0.1:1")
    monkeypatch.setattr("localreg.doctor.tunnels.ask_tunnels_to", lambda _name: [TunnelStatus(spec, 1, "open")])
    (finding,) = findings("tunnels")
    assert "leads to 127.0.0.1:1, and the registry is now at" in finding.what


class FakeClient:
    """A client that refuses the registry, or does not answer."""

    def __init__(self, name: str, obstacle: str | None, error: Exception | None = None) -> None:
        self.name = name
        self._obstacle = obstacle
        self._error = error

    def is_here(self) -> bool:
        return True

    def plan(self, target: Target) -> Plan:
        if self._error:
            raise self._error
        return Plan(self.name, target)

    def apply(self, plan: Plan) -> None:
        raise AssertionError(plan)

    def check(self, locations: Sequence[str], *, ca: str | None = None) -> Mapping[str, str | None]:
        assert ca is None
        return dict.fromkeys(locations, self._obstacle)


def test_a_client_that_refuses_the_registry(findings: Findings, monkeypatch: pytest.MonkeyPatch, location: str) -> None:
    clients = [
        FakeClient("docker", f"uses HTTPS for {location}"),
        FakeClient("podman", f"refuses plain HTTP for {location}"),
        FakeClient("buildkit", None),
        FakeClient("k3s", None, ConfigError("`registries.yaml` is not valid YAML", hint="see it")),
        FakeClient("containerd", None, EngineUnavailableError("it does not run")),
    ]
    monkeypatch.setattr("localreg.doctor.trust.list_clients", lambda _machine: clients)
    docker, podman, k3s = findings("trust")
    assert (docker.what, docker.severity) == (f"docker uses HTTPS for {location}", Severity.PROBLEM)
    assert (podman.cures, podman.is_safe, podman.severity) == (("localreg trust podman",), True, Severity.WARNING)
    assert (k3s.cures, k3s.is_safe) == (("see it",), False)


@pytest.mark.parametrize("program", ["docker", "podman"])
def test_only_docker_itself_is_asked_for_localhost_of_another_machine(
    outcome: Callable[[str], Outcome], engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, program: EngineName
) -> None:
    container = engine.find_container("registry")
    assert container is not None
    engine.change("registry", ports=(replace(container.ports[0], from_host=None),))
    monkeypatch.setattr(engine, "_info", EngineInfo(program, "5.8.6", "fake:", remote=True))
    clients = [FakeClient("docker", "refuses it"), FakeClient("podman", "refuses it")]
    monkeypatch.setattr("localreg.doctor.trust.list_clients", lambda _machine: clients)
    made = outcome("trust")
    assert [finding.what for finding in made.findings] == (["docker refuses it"] if program == "docker" else [])
    assert (made.not_needed is None) is (program == "docker")


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("x509: certificate signed by unknown authority", ["engine-view: docker", "trust: podman"]),
        ("http: server gave HTTP response to HTTPS client", ["engine-view: docker", "trust: podman"]),
        ("connection refused", ["engine-view: docker", "trust: docker", "trust: podman"]),
    ],
)
def test_an_engine_that_is_not_told_of_the_registry_is_one_finding(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, answer: str, told: list[str]
) -> None:
    def reach(_: FakeEngine, registry: str, *, plain_http: bool) -> None:
        del plain_http
        check_answer(registry, answer)

    clients = [FakeClient("docker", "refuses it"), FakeClient("podman", "refuses it")]
    monkeypatch.setattr("localreg.doctor.trust.list_clients", lambda _machine: clients)
    monkeypatch.setattr(FakeEngine, "reach_registry", reach)
    outcomes = list(Run(choose_checks(["engine-view", "trust"]), scene).outcomes())
    found = [(outcome.check.name, finding.what) for outcome in outcomes for finding in outcome.findings]
    assert [f"{name}: {what.partition(' ')[0].lower()}" for name, what in found] == told
    (alone,) = Run(choose_checks(["trust"]), scene).outcomes()
    assert len(alone.findings) == 2
    clients.pop()
    outcome = list(Run(choose_checks(["engine-view", "trust"]), scene).outcomes())[1]
    assert outcome.not_needed == (None if outcome.findings else "the check `engine-view` tells the same")


def test_settings_that_are_not_valid(engine: FakeEngine) -> None:
    problem = ConfigError("`x.toml` is not valid TOML", hint="localreg config")
    scene = Scene("registry", engine=engine, settings_problems=[problem])
    outcome = make(next(check for check in CHECKS if check.name == "config"), scene)
    assert [(finding.what, finding.cures) for finding in outcome.findings] == [(problem.message, ("localreg config",))]


def test_what_killed_commands_left_behind(findings: Findings, engine: FakeEngine, tree: Tree) -> None:
    assert findings("leftovers") == ()
    labels = {HELPER_LABEL: "registry"}
    engine.create_container(ContainerSpec("registry.gc", "registry:2.8.3", labels=labels))
    engine.create_container(ContainerSpec(replaced_name("registry"), "registry:2.8.3", labels={"localreg.schema": "1"}))
    (tree.folder / "localreg/trash/20261129T051500.123Z").mkdir(parents=True)
    (tree.folder / "localreg/trash/20261129T051500.123Z/open").touch()
    found = findings("leftovers")
    assert [finding.cures for finding in found] == [("localreg up",), ("localreg up",), ("localreg ls -q",)]
    assert all(finding.is_safe for finding in found)


def test_a_paused_registry_is_not_started_without_being_told_to(findings: Findings, engine: FakeEngine) -> None:
    engine.change("registry", state=ContainerState.PAUSED)
    (finding,) = findings("registry")
    assert (finding.cures, finding.is_safe) == (("docker unpause registry",), False)
