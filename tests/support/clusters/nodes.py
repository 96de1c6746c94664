"""Stand-ins for the nodes of a cluster: containers of the fake engine with folders and programs of their own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.engines.fake import FakeEngine

from localreg.engines.values import ContainerSpec

IMAGE = "localhost/node:1"

CTR = """#!/bin/sh
# content fetch-object --hosts-dir FOLDER REFERENCE
place=${5%%/*}
if grep -q '^server = "https*://registry:5000"' "$4/$place/hosts.toml" 2>/dev/null; then
    echo "ctr: failed to resolve reference \\"$5\\": $5: not found" >&2
else
    echo "ctr: failed to do request: Head \\"https://$place/v2/\\": dial tcp 127.0.0.1: connect: connection refused" >&2
fi
exit 1
"""
"""Finds the registry if the node has its file, and otherwise nothing on the node's loopback."""
CONTAINERD = """#!/bin/sh
printf "version = 2\\n[plugins.'io.containerd.grpc.v1.cri'.registry]\\n  config_path = '/etc/containerd/certs.d'\\n"
"""
CURL = """#!/bin/sh
exit 0
"""
"""Reaches every address."""
KUBECTL = """#!/bin/sh
# --kubeconfig FOLDER/admin.conf VERB...
map=${2%/*}/map.json
[ -e "${2%/*}" ] || { echo "connection refused" >&2; exit 1; }
case $3 in
get) cat "$map" 2>/dev/null || true ;;
apply) cat >"$map.new" && mv "$map.new" "$map" ;;
delete) rm -f "$map" ;;
esac
"""
"""Has the ConfigMap in a file beside its kubeconfig, and no cluster without that folder."""

KIND, ROLE = "io.x-k8s.kind.cluster", "io.x-k8s.kind.role"


@dataclass
class Nodes:
    """The nodes on a fake engine, and the programs that all of them have.

    Attributes:
        folder: Of this test.
        programs: The folder of their programs, first on PATH.
    """

    engine: FakeEngine
    folder: Path
    programs: Path = field(init=False)

    def __post_init__(self) -> None:
        self.programs = self.folder / "programs"
        self.programs.mkdir()
        for name, text in {"ctr": CTR, "containerd": CONTAINERD, "kubectl": KUBECTL, "curl": CURL}.items():
            self.add_program(name, text)
        self.engine.add_image(IMAGE)

    def add_program(self, name: str, text: str) -> None:
        """Give all nodes a program, or another one."""
        path = self.programs / name
        path.write_text(text)
        path.chmod(0o755)

    def add(self, name: str, labels: Mapping[str, str], *, network: str = "kind", runs: bool = True) -> None:
        """Make a node."""
        self.engine.networks.add(network)
        created = self.engine.create_container(ContainerSpec(name, IMAGE, labels=labels, networks=(network,)))
        home = self.folder / name
        for part in ("containerd", "kubernetes"):
            (home / part).mkdir(parents=True)
        self.engine.files_in[name] = {
            "/var/lib/rancher/k3s/agent/etc/containerd": home / "containerd",
            "/etc/containerd": home / "containerd",
            "/etc/kubernetes": home / "kubernetes",
            "/var/lib/minikube": home / "minikube",
            "/etc/crictl.yaml": home / "crictl.yaml",
        }
        if runs:
            self.engine.start_container(created.id)

    def add_kind(self, cluster: str = "dev", *roles: str, network: str = "kind") -> None:
        """Make the nodes of a kind cluster; a control plane and a worker if no roles are given."""
        for role in roles or ("control-plane", "worker"):
            self.add(f"{cluster}-{role}", {KIND: cluster, ROLE: role}, network=network)

    def hosts(self, node: str, location: str) -> Path:
        """The file about a registry in a node."""
        return self.folder / node / "containerd/certs.d" / location / "hosts.toml"

    def config_map(self, node: str) -> dict[str, Any] | None:
        """The ConfigMap of the cluster with this control plane."""
        path = self.folder / node / "kubernetes/map.json"
        found: dict[str, Any] | None = json.loads(path.read_text()) if path.exists() else None
        return found
