"""`connect` and `disconnect` with nodes that are stand-ins."""

from __future__ import annotations

import itertools
import json
import os
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support import schemas
from support.clusters.nodes import IMAGE, Nodes
from support.engines.fake import FakeEngine
from support.registries.fake import FakeRegistry

from localreg.cli.app import main
from localreg.clusters import node as node_module
from localreg.engines.discovery import select
from localreg.engines.discovery.probe import Answer, SeenContainer
from localreg.engines.discovery.select import Selection, Survey
from localreg.engines.values import Endpoint, EngineInfo
from localreg.registry.tls import TLS_LABEL, TlsFacts

KIND_HEADER = "# Written by `localreg connect` for registry `registry`; `localreg disconnect` removes it.\n"
MIRRORS = """#!/bin/sh
cat <<'END'
    [plugins."io.containerd.grpc.v1.cri".registry]
      config_path = ""

      [plugins."io.containerd.grpc.v1.cri".registry.mirrors]

        [plugins."io.containerd.grpc.v1.cri".registry.mirrors."localhost:5001"]
          endpoint = ["http://registry:5000"]

        [plugins."io.containerd.grpc.v1.cri".registry.mirrors."docker.io"]
          endpoint = ["http://elsewhere:5000"]
END
"""
"""A node whose cluster was created as kind's documentation said before there was `hosts.toml`."""


@pytest.fixture
def nodes(up: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Nodes:
    found = Nodes(up, tmp_path)
    monkeypatch.setenv("PATH", f"{found.programs}:{os.environ['PATH']}")
    monkeypatch.setattr(node_module, "_ANSWER_SECONDS", 0.0)
    return found


def run(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> tuple[str, str]:
    assert main([*arguments]) == code
    said = capsys.readouterr()
    return said.out, said.err


def connected(capsys: pytest.CaptureFixture[str], *arguments: str, schema: str = "connect") -> Any:
    return schemas.check(schema, run(capsys, *arguments, "--json")[0])


def refused(capsys: pytest.CaptureFixture[str], *arguments: str, code: int) -> Any:
    out, err = run(capsys, *arguments, "--json", code=code)
    assert out == ""
    return schemas.check("stderr", err.splitlines()[-1])["error"]


def networks(engine: FakeEngine) -> tuple[str, ...]:
    found = engine.find_container("registry")
    assert found is not None
    return found.networks


def test_every_node_gets_a_file_and_the_cluster_a_config_map(
    nodes: Nodes, location: str, capsys: pytest.CaptureFixture[str]
) -> None:
    nodes.add_kind()
    nodes.add(
        "dev-external-load-balancer", {"io.x-k8s.kind.cluster": "dev", "io.x-k8s.kind.role": "external-load-balancer"}
    )
    found = connected(capsys, "connect", "kind")
    assert (found["cluster"], found["context"], found["network"]) == ("dev", "kind-dev", "kind")
    assert [(node["name"], node["action"]) for node in found["nodes"]] == [
        ("dev-control-plane", "written"),
        ("dev-worker", "written"),
    ]
    for name in ("dev-control-plane", "dev-worker"):
        assert nodes.hosts(name, location).read_text() == f'{KIND_HEADER}server = "http://registry:5000"\n\n[host]\n'
    assert networks(nodes.engine) == ("bridge", "kind")
    config_map = nodes.config_map("dev-control-plane")
    assert config_map is not None
    assert config_map["metadata"]["name"] == "local-registry-hosting"
    assert config_map["data"]["localRegistryHosting.v1"].splitlines() == [
        f'host: "{location}"',
        'hostFromClusterNetwork: "registry:5000"',
    ]
    again = connected(capsys, "connect", "kind", "dev")
    assert {node["action"] for node in again["nodes"]} == {again["config_map"]["action"]} == {"unchanged"}


def test_a_new_node_is_told_when_it_runs_again(nodes: Nodes, capsys: pytest.CaptureFixture[str]) -> None:
    nodes.add_kind("dev", "control-plane")
    connected(capsys, "connect", "kind")
    nodes.add_kind("dev", "worker")
    found = connected(capsys, "connect", "kind")
    assert [node["action"] for node in found["nodes"]] == ["unchanged", "written"]


def test_all_of_it_is_taken_back_and_nothing_else(
    nodes: Nodes, location: str, capsys: pytest.CaptureFixture[str]
) -> None:
    nodes.add_kind()
    other = nodes.hosts("dev-worker", "ghcr.io")
    other.parent.mkdir(parents=True)
    other.write_text("server = 'https://ghcr.io'\n")
    before = {path: path.read_bytes() for path in nodes.folder.rglob("*") if path.is_file()}
    folders = {path for path in (nodes.folder / "dev-worker").rglob("*") if path.is_dir()}
    connected(capsys, "connect", "kind")
    assert nodes.hosts("dev-worker", location).exists()
    found = connected(capsys, "disconnect", "kind", schema="disconnect")
    assert (found["nodes"], found["config_map_removed"]) == (["dev-control-plane", "dev-worker"], True)
    assert found["network_left"] == "kind"
    assert {path: path.read_bytes() for path in nodes.folder.rglob("*") if path.is_file()} == before
    assert {path for path in (nodes.folder / "dev-worker").rglob("*") if path.is_dir()} == folders
    assert networks(nodes.engine) == ("bridge",)
    again = connected(capsys, "disconnect", "kind", schema="disconnect")
    assert (again["nodes"], again["config_map_removed"], again["network_left"]) == ([], False, None)


def test_files_are_taken_back_when_the_registry_is_gone(
    nodes: Nodes, location: str, capsys: pytest.CaptureFixture[str]
) -> None:
    nodes.add_kind()
    connected(capsys, "connect", "kind")
    run(capsys, "down")
    connected(capsys, "disconnect", "kind", schema="disconnect")
    assert not nodes.hosts("dev-worker", location).exists()


@pytest.mark.parametrize(
    "text",
    ['[host."http://registry:5000"]\n', "server = 'http://registry:5000'\n", 'server = "http://registry:5000/v2"\n'],
)
def test_a_cluster_that_others_told_of_the_registry_keeps_it(
    nodes: Nodes, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    nodes.add_kind("dev", "control-plane")
    other = nodes.hosts("dev-control-plane", "localhost:5001")
    other.parent.mkdir(parents=True)
    other.write_text(text)
    connected(capsys, "connect", "kind")
    found = connected(capsys, "disconnect", "kind", schema="disconnect")
    assert (found["network_left"], found["network_used_by"]) == (None, "kind cluster dev")
    other.write_text(text.replace("5000", "50001"))
    assert connected(capsys, "disconnect", "kind", schema="disconnect")["network_left"] == "kind"


def test_a_cluster_that_has_the_registry_as_a_mirror_keeps_it(nodes: Nodes, capsys: pytest.CaptureFixture[str]) -> None:
    nodes.add_kind("dev", "control-plane")
    nodes.add_program("containerd", MIRRORS)
    # The CRI finds the registry by its mirror.
    nodes.add_program("crictl", '#!/bin/sh\necho "code = NotFound desc = $2: not found" >&2\nexit 1\n')
    connected(capsys, "connect", "kind")
    found = connected(capsys, "disconnect", "kind", schema="disconnect")
    assert (found["network_left"], found["network_used_by"]) == (None, "kind cluster dev")
    nodes.add_program("containerd", MIRRORS.replace("registry:5000", "registry:50001"))
    assert connected(capsys, "disconnect", "kind", schema="disconnect")["network_left"] == "kind"


def test_clusters_in_one_network_keep_it_until_the_last_leaves(
    nodes: Nodes, capsys: pytest.CaptureFixture[str]
) -> None:
    nodes.add_kind("one", "control-plane")
    nodes.add_kind("two", "control-plane")
    for name in ("one", "two"):
        connected(capsys, "connect", "kind", name)
    first = connected(capsys, "disconnect", "kind", "one", schema="disconnect")
    assert (first["network_left"], first["network_used_by"]) == (None, "kind cluster two")
    second = connected(capsys, "disconnect", "kind", "two", schema="disconnect")
    assert (second["network_left"], second["network_used_by"]) == ("kind", None)


def test_a_file_of_others_is_left_alone(nodes: Nodes, location: str, capsys: pytest.CaptureFixture[str]) -> None:
    nodes.add_kind("dev", "control-plane")
    path = nodes.hosts("dev-control-plane", location)
    path.parent.mkdir(parents=True)
    path.write_text('server = "http://registry:5000"\n[host]\n')
    assert connected(capsys, "connect", "kind")["nodes"][0]["action"] == "foreign"
    path.write_text('[host."http://elsewhere:5000"]\n')
    error = refused(capsys, "connect", "kind", code=7)
    assert f"/etc/containerd/certs.d/{location}/hosts.toml, which localreg left alone" in error["details"][-1]
    connected(capsys, "disconnect", "kind", schema="disconnect")
    assert path.read_text() == '[host."http://elsewhere:5000"]\n'


def test_the_file_of_a_former_port_goes(nodes: Nodes, location: str, capsys: pytest.CaptureFixture[str]) -> None:
    nodes.add_kind("dev", "control-plane")
    old = nodes.hosts("dev-control-plane", "localhost:4999")
    old.parent.mkdir(parents=True)
    old.write_text(f"{KIND_HEADER}anything\n")
    (old.parent / "localreg.crt").write_text("anything\n")
    connected(capsys, "connect", "kind")
    assert not old.parent.exists()
    assert nodes.hosts("dev-control-plane", location).exists()


def snapshot(nodes: Nodes) -> tuple[dict[Path, bytes | None], tuple[str, ...]]:
    """Every file and folder of the nodes, and the networks of the registry.

    The empty folder of all registries may stay, because localreg cannot know who made it.
    """
    paths = [path for name in ("dev-control-plane", "dev-worker") for path in (nodes.folder / name).rglob("*")]
    paths = [path for path in paths if path.name != "certs.d"]
    return {path: None if path.is_dir() else path.read_bytes() for path in paths}, networks(nodes.engine)


class _KilledError(BaseException):
    """Nothing catches it, as nothing does a SIGKILL."""


def kill_at(nodes: Nodes, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the program end right after it ran something in a node, or connected a network, for the nth time."""
    steps = itertools.count(1)

    def killed(method: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any) -> Any:
            result = method(*arguments)
            result = list(result) if isinstance(result, Iterator) else result
            if next(steps) == step:
                raise _KilledError
            return result

        return run

    for name in ("run_in_container", "connect_network", "disconnect_network"):
        monkeypatch.setattr(nodes.engine, name, killed(getattr(nodes.engine, name)))


def test_a_run_that_is_killed_anywhere_is_completed_by_the_next(
    nodes: Nodes, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes.add_kind()
    before = snapshot(nodes)
    run(capsys, "connect", "kind")
    after = snapshot(nodes)
    for command, start, end in (("disconnect", after, before), ("connect", before, after)):
        for step in itertools.count(1):
            assert snapshot(nodes) == start
            with monkeypatch.context() as patched:
                kill_at(nodes, step, patched)
                try:
                    main([command, "kind"])
                    break
                except _KilledError:
                    pass
            run(capsys, command, "kind")
            assert snapshot(nodes) == end
            run(capsys, "connect" if command == "disconnect" else "disconnect", "kind")
        assert step > 5
        assert snapshot(nodes) == end


def test_half_a_file_of_a_killed_run_goes(nodes: Nodes, location: str, capsys: pytest.CaptureFixture[str]) -> None:
    nodes.add_kind()
    half = nodes.hosts("dev-worker", location).with_name(".localreg.new")
    half.parent.mkdir(parents=True)
    half.write_text("# Wri")
    connected(capsys, "connect", "kind")
    assert not half.exists()
    half.write_text("# Wri")
    connected(capsys, "disconnect", "kind", schema="disconnect")
    assert not half.parent.exists()


@pytest.mark.parametrize("labels", [{}, {"app.kubernetes.io/managed-by": "localreg", "localreg.name": "other"}])
def test_the_config_map_of_another_registry_stays(
    nodes: Nodes, labels: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    nodes.add_kind("dev", "control-plane")
    foreign = {"metadata": {"labels": labels}, "data": {"localRegistryHosting.v1": "host: localhost:1\n"}}
    (nodes.folder / "dev-control-plane/kubernetes/map.json").write_text(json.dumps(foreign))
    assert connected(capsys, "connect", "kind")["config_map"]["action"] == "foreign"
    assert connected(capsys, "disconnect", "kind", schema="disconnect")["config_map_removed"] is False
    assert nodes.config_map("dev-control-plane") == foreign


def test_without_kubectl_the_config_map_is_printed(
    nodes: Nodes, location: str, capsys: pytest.CaptureFixture[str]
) -> None:
    nodes.add_kind("dev", "control-plane")
    nodes.add_program("kubectl", "#!/bin/sh\nexit 1\n")
    out, _ = run(capsys, "connect", "kind", "--format", "table")
    assert "kubectl --context kind-dev apply -f -" in out
    assert out.endswith(
        f'  localRegistryHosting.v1: |\n    host: "{location}"\n    hostFromClusterNetwork: "registry:5000"\n\n'
    )


def test_what_it_says(nodes: Nodes, location: str, capsys: pytest.CaptureFixture[str]) -> None:
    nodes.add_kind("dev", "control-plane")
    out, err = run(capsys, "connect", "kind", "--format", "table")
    assert out == (
        f"kind cluster `dev` pulls from the registry as {location}\n"
        f"  network  kind\n"
        f"  wrote    dev-control-plane: /etc/containerd/certs.d/{location}/hosts.toml\n"
        f"  tools    applied local-registry-hosting in kube-public\n"
        f"  image    {location}/NAME:TAG, as on this machine\n"
        f"  in pods  http://registry:5000\n"
        f"  undo     localreg disconnect kind dev\n"
    )
    assert err == ""
    assert run(capsys, "connect", "kind")[0] == (
        f"dev-control-plane\tunchanged\t/etc/containerd/certs.d/{location}/hosts.toml\n"
    )
    assert run(capsys, "connect", "kind", "-q")[0] == f"{location}\n"
    assert "  networks  kind\n" in run(capsys, "status", "--format", "table")[0]
    out, _ = run(capsys, "disconnect", "kind", "--format", "table")
    assert out == (
        "kind cluster `dev` no longer knows registry `registry`\n"
        "  nodes    dev-control-plane\n  removed  local-registry-hosting in kube-public\n  left     network kind\n"
    )


def test_a_cri_that_crictl_reaches_is_asked_before_ctr(nodes: Nodes, capsys: pytest.CaptureFixture[str]) -> None:
    nodes.add_kind("dev", "control-plane")
    nodes.add_program("ctr", "#!/bin/sh\nexit 1\n")
    nodes.add_program("crictl", '#!/bin/sh\necho "code = NotFound desc = $2: not found" >&2\nexit 1\n')
    connected(capsys, "connect", "kind")
    nodes.add_program("crictl", '#!/bin/sh\necho "x509: certificate signed by unknown authority" >&2\nexit 1\n')
    error = refused(capsys, "connect", "kind", code=7)
    assert error["details"] == ["containerd in node dev-control-plane x509: certificate signed by unknown authority"]


def test_a_node_that_reads_no_hosts_toml_says_what_it_needs(nodes: Nodes, capsys: pytest.CaptureFixture[str]) -> None:
    nodes.add_kind("dev", "control-plane")
    nodes.add_program("containerd", "#!/bin/sh\necho '  config_path = \"\"'\n")
    error = refused(capsys, "connect", "kind", code=7)
    assert "config_path" in error["details"][0]
    assert "containerdConfigPatches" in error["hint"]
    nodes.add_program("containerd", MIRRORS)
    assert "`mirrors` for localhost:5001 and docker.io," in refused(capsys, "connect", "kind", code=7)["details"][0]


def test_the_folder_in_the_configuration_of_a_node_is_used(
    nodes: Nodes, location: str, capsys: pytest.CaptureFixture[str]
) -> None:
    nodes.add_kind("dev", "control-plane")
    nodes.add_program("containerd", "#!/bin/sh\necho \"  config_path = '/etc/containerd/mine:/etc/docker/certs.d'\"\n")
    (found,) = connected(capsys, "connect", "kind")["nodes"]
    assert found["path"] == f"/etc/containerd/mine/{location}/hosts.toml"


@pytest.mark.parametrize(("code", "said"), [(0, "does not look for"), (7, "gets no answer from http://registry:5000")])
def test_a_silent_registry_is_told_apart_from_one_that_is_not_asked(
    nodes: Nodes, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    nodes.add_kind("dev", "control-plane")
    nodes.add_program("ctr", "#!/bin/sh\necho 'ctr: dial tcp: connection refused' >&2\nexit 1\n")
    nodes.add_program("curl", f"#!/bin/sh\nexit {code}\n")
    assert said in refused(capsys, "connect", "kind", code=7)["details"][0]


def test_k3d_nodes_have_another_folder(nodes: Nodes, location: str, capsys: pytest.CaptureFixture[str]) -> None:
    for name, role in (("server-0", "server"), ("agent-0", "agent"), ("serverlb", "loadbalancer")):
        labels = {"app": "k3d", "k3d.cluster": "dev", "k3d.role": role}
        nodes.add(f"k3d-dev-{name}", labels, network="k3d-dev")
    (nodes.folder / "k3d-dev-server-0/containerd/config.toml").write_text(
        'config_path = "/var/lib/rancher/k3s/agent/etc/containerd/certs.d"\n'
    )
    found = connected(capsys, "connect", "k3d")
    assert [node["name"] for node in found["nodes"]] == ["k3d-dev-agent-0", "k3d-dev-server-0"]
    folder = "/var/lib/rancher/k3s/agent/etc/containerd/certs.d"
    assert {node["path"] for node in found["nodes"]} == {f"{folder}/{location}/hosts.toml"}
    assert nodes.hosts("k3d-dev-agent-0", location).exists()


MINIKUBE = "name.minikube.sigs.k8s.io"


def test_the_nodes_of_minikube_are_found(nodes: Nodes, capsys: pytest.CaptureFixture[str]) -> None:
    # The label of each node but the first has the name of the node.
    for name in ("minikube", "minikube-m02"):
        nodes.add(name, {MINIKUBE: name}, network="minikube")
        (nodes.folder / name / "crictl.yaml").write_text("runtime-endpoint: unix:///run/containerd/containerd.sock\n")
    found = connected(capsys, "connect", "minikube")
    assert [node["name"] for node in found["nodes"]] == ["minikube", "minikube-m02"]
    assert found["config_map"]["action"] == "failed"
    for release in ("v1.34.0", "v1.35.1"):
        program = nodes.folder / "minikube/minikube/binaries" / release / "kubectl"
        program.parent.mkdir(parents=True)
        program.symlink_to(nodes.programs / "kubectl")
    assert connected(capsys, "connect", "minikube")["config_map"]["action"] == "applied"
    assert (nodes.folder / "minikube/minikube/map.json").exists()


@pytest.mark.parametrize(("socket", "said"), [("cri-dockerd.sock", "Docker"), ("crio/crio.sock", "CRI-O")])
def test_minikube_without_containerd_is_shown_the_tunnel(
    nodes: Nodes, socket: str, said: str, location: str, capsys: pytest.CaptureFixture[str]
) -> None:
    nodes.add("minikube", {MINIKUBE: "minikube"}, network="minikube")
    (nodes.folder / "minikube/crictl.yaml").write_text(f"runtime-endpoint: unix:///var/run/{socket}\n")
    error = refused(capsys, "connect", "minikube", code=5)
    assert said in error["message"]
    assert error["hint"].startswith('localreg tunnel open "docker@$(minikube --profile minikube ip)"')
    assert f"--remote-port {location.rpartition(':')[2]}" in error["hint"]
    assert networks(nodes.engine) == ("bridge",)


def test_minikube_in_a_virtual_machine_is_shown_the_tunnel(nodes: Nodes, capsys: pytest.CaptureFixture[str]) -> None:
    profiles = {"valid": [{"Name": "vm", "Config": {"Driver": "kvm2"}}], "invalid": []}
    nodes.add_program("minikube", f"#!/bin/sh\necho '{json.dumps(profiles)}'\n")
    error = refused(capsys, "connect", "minikube", "vm", code=5)
    assert "kvm2" in error["message"]
    assert "tunnel open" in error["hint"]
    assert (
        refused(capsys, "connect", "minikube", "nosuch", code=4)["hint"]
        == "minikube --profile nosuch start --container-runtime containerd"
    )


def test_a_cluster_that_does_not_exist_names_those_that_do(nodes: Nodes, capsys: pytest.CaptureFixture[str]) -> None:
    assert "`kind`" in refused(capsys, "connect", "kind", code=4)["message"]
    nodes.add_kind("one", "control-plane")
    error = refused(capsys, "connect", "kind", "nosuch", code=4)
    assert "`one`" in error["message"]
    assert error["hint"] == "localreg connect kind one"
    nodes.add_kind("two", "control-plane")
    assert "`one`, `two`" in refused(capsys, "connect", "kind", code=2)["message"]
    nodes.add_kind("kind", "control-plane")
    assert connected(capsys, "connect", "kind")["cluster"] == "kind"


def test_a_cluster_on_another_engine_is_named(
    nodes: Nodes, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = {"io.x-k8s.kind.cluster": "dev", "io.x-k8s.kind.role": "control-plane"}
    seen = SeenContainer("1" * 64, ("dev-control-plane",), labels, ())
    answer = Answer("podman", Endpoint("unix:///run/podman.sock"), (seen,), has_volume=False)
    survey = Survey((answer,), ())
    monkeypatch.setattr(
        select, "select_engine", lambda *_args, **_kwargs: Selection(nodes.engine, survey, holds_registry=True)
    )
    error = refused(capsys, "connect", "kind", "dev", code=5)
    assert "is on Podman" in error["message"]
    assert error["hint"] == "localreg --engine podman --name dev-registry up"


def test_a_cluster_that_does_not_exist_is_created_or_another_one_named(
    nodes: Nodes, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refused(capsys, "connect", "kind", code=4)["hint"] == "kind create cluster --name kind"
    assert refused(capsys, "connect", "k3d", "dev", code=4)["hint"] == "k3d cluster create dev"
    assert refused(capsys, "disconnect", "kind", code=4)["hint"] is None
    nodes.add_kind()
    for command in ("connect", "disconnect"):
        error = refused(capsys, command, "kind", "other", code=4)
        assert error["hint"] == f"localreg {command} kind dev"


def test_stopped_nodes(nodes: Nodes, location: str, capsys: pytest.CaptureFixture[str]) -> None:
    nodes.add_kind()
    nodes.engine.stop_container("dev-worker")
    _, err = run(capsys, "connect", "kind")
    assert "`dev-worker` is stopped" in err
    assert not nodes.hosts("dev-worker", location).exists()
    nodes.engine.stop_container("dev-control-plane")
    assert refused(capsys, "connect", "kind", code=5)["hint"] == "docker start dev-control-plane dev-worker"


def test_nodes_in_no_network_of_their_own_are_refused(nodes: Nodes, capsys: pytest.CaptureFixture[str]) -> None:
    nodes.add_kind("dev", "control-plane", network="bridge")
    assert "share no network" in refused(capsys, "connect", "kind", code=5)["message"]


def test_the_registry_has_to_run(nodes: Nodes, capsys: pytest.CaptureFixture[str]) -> None:
    nodes.add_kind()
    nodes.engine.stop_container("registry")
    assert refused(capsys, "connect", "kind", code=6)["hint"] == "localreg up"


def test_a_certificate_must_have_the_name_that_nodes_use(nodes: Nodes, capsys: pytest.CaptureFixture[str]) -> None:
    found = nodes.engine.find_container("registry")
    assert found is not None
    facts = TlsFacts(ssl.DER_cert_to_PEM_cert(b"any"), datetime(2030, 1, 1, tzinfo=UTC), ("localhost",))
    nodes.engine.change("registry", labels={**found.labels, TLS_LABEL: facts.to_label()})
    nodes.add_kind("dev", "control-plane")
    assert refused(capsys, "connect", "kind", code=5)["hint"] == "localreg up --recreate --san registry"
    assert networks(nodes.engine) == ("bridge",)
    _, err = run(capsys, "connect", "network", "kind")
    assert "`localreg up --recreate --san registry`" in err


def test_a_network(nodes: Nodes, location: str, capsys: pytest.CaptureFixture[str]) -> None:
    nodes.engine.networks.add("web")
    found = connected(capsys, "connect", "network", "web", schema="connect-network")
    assert (found["action"], found["in_network"], found["location"]) == ("connected", "registry:5000", location)
    again, _ = run(capsys, "connect", "network", "web", "--format", "table")
    assert "is already in network `web`" in again
    assert f"{location}/NAME" in again
    for action in ("disconnected", "unchanged"):
        left = connected(capsys, "disconnect", "network", "web", schema="disconnect-network")
        assert left["action"] == action
    assert networks(nodes.engine) == ("bridge",)
    nodes.engine.remove_container("registry")
    assert connected(capsys, "disconnect", "network", "web", schema="disconnect-network")["action"] == "unchanged"


@pytest.mark.parametrize("verb", ["connect", "disconnect"])
def test_a_network_has_to_be_named(nodes: Nodes, verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert nodes.engine.list_networks()
    refused(capsys, verb, "network", code=2)


def test_a_network_that_does_not_exist_names_those_that_do(nodes: Nodes, capsys: pytest.CaptureFixture[str]) -> None:
    error = refused(capsys, "connect", "network", "web", code=4)
    assert error["hint"] == "docker network create web"
    nodes.engine.networks.add("shop_default")
    error = refused(capsys, "connect", "network", "web", code=4)
    assert "`shop_default`" in error["message"]
    assert error["hint"] == "localreg connect network shop_default"
    assert refused(capsys, "connect", "network", "bridge", code=2)["hint"] == "docker network create NAME"


def test_rootless_podman_gets_a_new_container(
    nodes: Nodes, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nodes.engine, "_info", EngineInfo("podman", "5.8.6", "fake:", rootless=True, remote=True))
    run(capsys, "up", "--recreate")
    assert networks(nodes.engine) == ()
    nodes.add_kind("dev", "control-plane")
    _, err = run(capsys, "connect", "kind")
    assert "the registry's container is replaced; the images stay" in err
    first = nodes.engine.find_container("registry")
    assert first is not None
    assert first.networks == ("bridge", "kind")
    connected(capsys, "connect", "kind")
    assert nodes.engine.find_container(first.id) is not None
    connected(capsys, "disconnect", "kind", schema="disconnect")
    assert networks(nodes.engine) == ()


def test_rootless_podman_gets_a_new_container_that_is_open_as_the_old_one_was(
    nodes: Nodes, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nodes.engine, "_info", EngineInfo("podman", "5.8.6", "fake:", rootless=True, remote=True))
    run(capsys, "up", "--recreate", "--host", "0.0.0.0", "--insecure-exposure")
    nodes.engine.networks.add("shop")
    run(capsys, "connect", "network", "shop")
    run(capsys, "disconnect", "network", "shop")
    registry = nodes.engine.find_container("registry")
    assert registry is not None
    assert [port.bound.host for port in registry.ports] == ["0.0.0.0"]


def test_rootless_podman_replaces_no_registry_that_is_ephemeral_or_stopped(
    nodes: Nodes, location: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nodes.engine, "_info", EngineInfo("podman", "5.8.6", "fake:", rootless=True, remote=True))
    nodes.add_kind("dev", "control-plane")
    connected(capsys, "connect", "network", "kind", schema="connect-network")
    connected(capsys, "connect", "kind")
    nodes.engine.stop_container("registry")
    before = nodes.engine.find_container("registry")
    assert refused(capsys, "disconnect", "network", "kind", code=5)["hint"] == "localreg up"
    _, err = run(capsys, "disconnect", "kind")
    assert "is stopped, and stays in network `kind`" in err
    assert nodes.engine.find_container("registry") == before
    assert not nodes.hosts("dev-control-plane", location).exists()
    run(capsys, "down")
    run(capsys, "up", "--ephemeral", "--port", location.rpartition(":")[2])
    before = nodes.engine.find_container("registry")
    assert "ephemeral" in refused(capsys, "connect", "kind", code=5)["message"]
    assert nodes.engine.find_container("registry") == before


def test_rootless_podman_replaces_no_container_of_others(
    nodes: Nodes, registry: FakeRegistry, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nodes.engine, "_info", EngineInfo("podman", "5.8.6", "fake:", rootless=True, remote=True))
    ours = nodes.engine.find_container("registry")
    assert ours is not None
    nodes.engine.change("registry", labels={}, networks=())
    nodes.add_kind("dev", "control-plane")
    error = refused(capsys, "connect", "kind", code=5)
    assert error["code"] == "not-ours"
    assert nodes.engine.find_container(ours.id) is not None
    assert registry.base_url


def test_a_container_of_others_on_docker_is_connected(nodes: Nodes, capsys: pytest.CaptureFixture[str]) -> None:
    nodes.engine.change("registry", labels={})
    nodes.add_kind("dev", "control-plane")
    connected(capsys, "connect", "kind")
    assert networks(nodes.engine) == ("bridge", "kind")


def test_a_name_that_is_no_kind_is_refused(up: FakeEngine, capsys: pytest.CaptureFixture[str]) -> None:
    assert up.find_image(IMAGE) is None
    assert "kind" in refused(capsys, "connect", "microk8s", code=2)["message"]
