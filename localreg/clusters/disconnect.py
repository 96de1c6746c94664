"""`disconnect`: takes back what `connect` did, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from localreg.clusters import hosting
from localreg.clusters.connect import in_network_of
from localreg.clusters.find import Cluster, get_cluster, list_clusters
from localreg.clusters.join import leave_network
from localreg.clusters.kinds import KINDS
from localreg.clusters.port import ClusterKind
from localreg.engines.discovery.probe import Answer
from localreg.engines.port import Engine
from localreg.registry.container import Registry
from localreg.registry.networks import joined_networks
from localreg.registry.request import Notify


@dataclass(frozen=True, slots=True)
class DisconnectedCluster:
    """A cluster that no longer knows the registry."""

    cluster: Cluster
    nodes: tuple[str, ...]
    """The names of the nodes from which a file was removed."""
    had_config_map: bool
    left: str | None
    """The network that the registry left; None if it stays, or was in none."""
    used_by: str | None
    """The cluster because of which it stays in the network: another one, or this one if others told it as well."""


def disconnect_cluster(
    engine: Engine,
    registry_name: str,
    registry: Registry | None,
    kind: ClusterKind,
    name: str | None,
    *,
    answers: Sequence[Answer],
    notify: Notify,
) -> DisconnectedCluster:
    """Remove localreg's files from the nodes and its ConfigMap, then leave the network if no cluster needs it.

    Args:
        engine: The registry's.
        registry_name: The registry's name.
        registry: None if it does not exist any longer.
        kind: The kind of cluster.
        name: Its name; None for the usual one, or the only one.
        answers: What each engine on this machine answered.
        notify: Gets notes for the user.

    Raises:
        NotFoundError: there is no such cluster.
        UsageError: there are several, and none was named.
        ConflictError: the cluster is stopped, or on another engine.
    """
    location = (registry and registry.location) or "localhost:5000"
    cluster = get_cluster(engine, kind, name, command="disconnect", location=location, others=answers)
    for stopped in cluster.stopped:
        notify(f"node `{stopped}` is stopped, and keeps its file about the registry")
    nodes = cluster.open_nodes(engine)
    had_config_map = hosting.remove(kind, cluster.find_primary(nodes), registry_name)
    changed = tuple(node.name for node in nodes if node.remove(registry_name))
    networks = [] if registry is None else [n for n in cluster.networks if n in joined_networks(registry.container)]
    is_running = registry is not None and registry.container.is_running
    if networks and engine.info().joins_networks_when_created and not is_running:
        notify(f"the registry is stopped, and stays in network `{networks[0]}`")
        networks = []
    if registry is None or not networks:
        return DisconnectedCluster(cluster, changed, had_config_map, None, None)
    if used_by := _find_user(engine, registry, networks[0]):
        return DisconnectedCluster(cluster, changed, had_config_map, None, used_by)
    leave_network(engine, registry, networks[0], answers=answers, notify=notify)
    return DisconnectedCluster(cluster, changed, had_config_map, networks[0], None)


def _find_user(engine: Engine, registry: Registry, network: str) -> str | None:
    """A cluster in a network whose running nodes are told of the registry, by localreg or by others."""
    containers = engine.list_containers()
    for kind in KINDS.values():
        for cluster in list_clusters(kind, containers).values():
            if network not in cluster.networks:
                continue
            if any(node.uses(in_network_of(registry)) for node in cluster.open_nodes(engine)):
                return f"{kind.name} cluster {cluster.name}"
    return None


def disconnect_network(
    engine: Engine, registry: Registry, network: str, *, answers: Sequence[Answer], notify: Notify
) -> bool:
    """Leave a network; returns whether the registry was in it."""
    if network not in joined_networks(registry.container):
        return False
    leave_network(engine, registry, network, answers=answers, notify=notify)
    return True
