"""k3d, whose nodes run k3s.

At its start, k3s writes a `hosts.toml` for each registry in its own `registries.yaml`. It leaves those of others alone,
so one that is written now works at once, and is still there after a restart.
"""

from __future__ import annotations

from localreg.clusters.port import ClusterKind

_CONTAINERD = "/var/lib/rancher/k3s/agent/etc/containerd"

K3D = ClusterKind(
    name="k3d",
    usual="k3s-default",
    cluster_label="k3d.cluster",
    role_label="k3d.role",
    roles=frozenset({"server", "agent"}),
    hosts_folder=f"{_CONTAINERD}/certs.d",
    configuration=("cat", f"{_CONTAINERD}/config.toml"),
    kubectl="kubectl",
    context="k3d-{}",
    create="k3d cluster create {}",
    start="k3d cluster start {}",
    without_hosts="create the cluster with k3s 1.26.13, 1.27.10, 1.28.6, 1.29.1 or later",
)
