"""`connect` with real engines and nodes that run a real containerd."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.clusters.nodes import KUBECTL
from support.engines.real import Bed, docker_alone

NODES = {"dev-control-plane": "control-plane", "dev-worker": "worker"}
FOLDER = "/etc/containerd/certs.d"
CONFIGURATION = f'version = 2\n[plugins."io.containerd.grpc.v1.cri".registry]\n  config_path = "{FOLDER}"\n'
START = 'mkdir -p /etc/containerd /etc/kubernetes; printf %s "$1" >/etc/containerd/config.toml; exec containerd'
IMAGE = "localhost:5000/team/app:1"


@pytest.fixture
def cluster(bed: Bed, folder: Path) -> Bed:
    """An engine with the nodes of a kind cluster, which have the programs of this machine, and containerd's daemon."""
    bed.add_image("localhost/node:1", folder, content="node")
    bed.add_network("kind")
    (folder / "kube").mkdir()
    (folder / "kube/kubectl").write_text(KUBECTL)
    (folder / "kube/kubectl").chmod(0o755)
    shared = [f"{path}:{path}:ro" for path in ("/usr", "/bin", "/lib", "/lib64")]
    for name, role in NODES.items():
        bed.engine_ok(
            *("run", "--detach", "--network", "kind", "--name", name, "--env", "PATH=/kube:/usr/bin:/bin"),
            *("--label", "io.x-k8s.kind.cluster=dev", "--label", f"io.x-k8s.kind.role={role}"),
            *(word for mount in (*shared, f"{folder}/kube:/kube:ro") for word in ("--volume", mount)),
            *("--entrypoint", "sh", "localhost/node:1", "-c", START, "sh", CONFIGURATION),
        )
    return bed


def pulls(bed: Bed, node: str) -> bool:
    """Whether containerd in a node pulls the image by the name that it has on this machine."""
    fetch = ("ctr", "content", "fetch", "--hosts-dir", FOLDER, IMAGE)
    return bed.run(bed.program, "exec", node, *fetch).returncode == 0


def test_nodes_pull_by_the_name_that_this_machine_uses(cluster: Bed, folder: Path) -> None:
    bed = cluster
    bed.up()
    bed.add_image("localhost/team/app:1", folder)
    bed.push("localhost/team/app:1")
    assert not pulls(bed, "dev-worker")
    found = json.loads(bed.ok("connect", "kind", "--json"))
    assert [(node["name"], node["action"]) for node in found["nodes"]] == [(name, "written") for name in NODES]
    assert found["config_map"]["action"] == "applied"
    assert all(pulls(bed, node) for node in NODES)
    left = json.loads(bed.ok("disconnect", "kind", "--json"))
    assert (left["nodes"], left["config_map_removed"], left["network_left"]) == (list(NODES), True, "kind")
    assert not pulls(bed, "dev-worker")
    assert bed.engine_ok("exec", "dev-worker", "ls", FOLDER) == ""
    assert json.loads(bed.ok("status", "--json"))["networks"] == []
    assert bed.ok("ls", "-q") == f"{IMAGE}\n"


@docker_alone
def test_a_registry_that_gets_tls_keeps_its_network_and_is_told_anew(cluster: Bed, folder: Path) -> None:
    bed = cluster
    bed.up()
    bed.add_image("localhost/team/app:1", folder)
    bed.push("localhost/team/app:1")
    bed.ok("connect", "kind")
    bed.ok("up", "--recreate", "--tls")
    assert json.loads(bed.ok("status", "--json"))["networks"] == ["kind"]
    again = json.loads(bed.ok("connect", "kind", "--json"))
    assert [node["action"] for node in again["nodes"]] == ["written", "written"]
    assert all(pulls(bed, node) for node in NODES)
