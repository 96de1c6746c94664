"""kind, whose clusters share one network of the engine."""

from __future__ import annotations

from localreg.clusters.port import ClusterKind

KIND = ClusterKind(
    name="kind",
    usual="kind",
    cluster_label="io.x-k8s.kind.cluster",
    role_label="io.x-k8s.kind.role",
    # The load balancer of several control planes does not pull.
    roles=frozenset({"control-plane", "worker"}),
    hosts_folder="/etc/containerd/certs.d",
    configuration=("containerd", "config", "dump"),
    kubectl="kubectl --kubeconfig /etc/kubernetes/admin.conf",
    context="kind-{}",
    create="kind create cluster --name {}",
    start="",
    without_hosts=(
        "create the cluster with a node image of kind 0.27 or later, or with `containerdConfigPatches` that set "
        '`config_path = "/etc/containerd/certs.d"`'
    ),
)
