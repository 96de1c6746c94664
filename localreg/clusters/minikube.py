"""minikube, whose nodes are containers with the drivers docker and podman, and otherwise virtual machines."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping

from localreg.clusters.port import Ask, ClusterKind
from localreg.engines.values import Container
from localreg.errors import ConflictError, EngineError, LocalregError
from localreg.system.programs import output_of

_PROGRAM_SECONDS = 20.0
_MORE_NODES = re.compile(r"-m\d{2,}$")
"""The end of the name of each node but the first. The label of the cluster has it as well."""


class Minikube(ClusterKind):
    """minikube; a node may pull with Docker or CRI-O instead of containerd."""

    __slots__ = ()

    def cluster_of(self, labels: Mapping[str, str]) -> str | None:
        """The cluster that a container with these labels is a node of."""
        name = labels.get(self.cluster_label)
        return name and _MORE_NODES.sub("", name)

    def is_primary(self, node: Container) -> bool:
        """Whether it is the first node."""
        return _MORE_NODES.search(node.name) is None

    def find_obstacle(self, ask: Ask, cluster: str, location: str) -> LocalregError | None:
        """A node that pulls with Docker or CRI-O, which take no `hosts.toml`."""
        try:
            used = ask("cat", "/etc/crictl.yaml")
        except EngineError:
            return None
        runtime = "Docker" if "docker" in used else "CRI-O" if "crio" in used else None
        if runtime is None:
            return None
        return ConflictError(
            f"minikube cluster `{cluster}` pulls with {runtime}, which cannot be told where `{location}` is",
            hint=_tunnel(cluster, location),
            details=[_WITH_TUNNEL, "`minikube start --container-runtime containerd` creates a cluster without this"],
        )

    def find_elsewhere(self, cluster: str, location: str) -> LocalregError | None:
        """A cluster in a virtual machine, which does not reach containers on this machine."""
        driver = _drivers().get(cluster)
        if driver is None or driver in ("docker", "podman"):
            return None
        return ConflictError(
            f"minikube cluster `{cluster}` is in a virtual machine (driver {driver}), "
            "which cannot join a network of containers",
            hint=_tunnel(cluster, location),
            details=[_WITH_TUNNEL],
        )


_WITH_TUNNEL = "with a tunnel to it, its pods pull the same names"


def _tunnel(cluster: str, location: str) -> str:
    """The command that makes the registry the node's own `localhost:PORT`, which each runtime uses without TLS."""
    port, minikube = location.rpartition(":")[2], f"minikube --profile {cluster}"
    return (
        f'localreg tunnel open "docker@$({minikube} ip)" --identity "$({minikube} ssh-key)" '
        f"--remote-port {port} --background"
    )


def _drivers() -> Mapping[str, str]:
    """The driver of each profile; empty without minikube."""
    program = shutil.which("minikube")
    listed = program and output_of(program, "profile", "list", "--light", "--output", "json", seconds=_PROGRAM_SECONDS)
    try:
        return {profile["Name"]: str(profile["Config"]["Driver"]) for profile in json.loads(listed or "{}")["valid"]}
    except (ValueError, KeyError, TypeError):
        return {}


MINIKUBE = Minikube(
    name="minikube",
    usual="minikube",
    cluster_label="name.minikube.sigs.k8s.io",
    role_label="role.minikube.sigs.k8s.io",
    roles=frozenset(),
    hosts_folder="/etc/containerd/certs.d",
    configuration=("containerd", "config", "dump"),
    # One for each release of Kubernetes that the cluster had.
    kubectl='"$(ls /var/lib/minikube/binaries/*/kubectl | tail -n 1)" --kubeconfig /var/lib/minikube/kubeconfig',
    context="{}",
    create="minikube --profile {} start --container-runtime containerd",
    start="minikube --profile {} start",
    without_hosts="create the cluster with a newer minikube",
)
