"""`connect`: a cluster, or the containers of a network, can use the registry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from localreg.clusters import hosting
from localreg.clusters.find import Cluster, get_cluster
from localreg.clusters.hosting import ConfigMap, Hosting
from localreg.clusters.join import join_network
from localreg.clusters.node import Source, Written
from localreg.clusters.port import ClusterKind
from localreg.engines.discovery.probe import Answer
from localreg.engines.port import Engine
from localreg.errors import ConfigError, ConflictError, NotFoundError, UsageError
from localreg.registry.container import CONTAINER_PORT, Registry
from localreg.registry.defaults import DEFAULT_NAME
from localreg.registry.networks import is_usual, joined_networks
from localreg.registry.request import Notify
from localreg.registry.tls import ca_of, tls_of
from localreg.system.command_line import CommandLine, Sentence


@dataclass(frozen=True, slots=True)
class ConnectedNode:
    """A node that was told of the registry."""

    name: str
    path: str
    """Its file about the registry."""
    written: Written


@dataclass(frozen=True, slots=True)
class ConnectedCluster:
    """A cluster that was told of the registry."""

    cluster: Cluster
    registry: Registry
    network: str
    nodes: tuple[ConnectedNode, ...]
    hosting: Hosting
    config_map: ConfigMap
    in_network: str
    """The registry's `HOST:PORT` for containers and pods."""

    @property
    def location(self) -> str:
        """The `HOST:PORT` that begins a reference, in pods as on this machine."""
        return self.registry.get_location()


@dataclass(frozen=True, slots=True)
class ConnectedNetwork:
    """A network that the registry is in."""

    network: str
    registry: Registry
    was_in_it: bool
    in_network: str
    """The registry's `HOST:PORT` for containers in it."""


def connect_cluster(
    engine: Engine,
    registry: Registry,
    kind: ClusterKind,
    name: str | None,
    *,
    answers: Sequence[Answer],
    notify: Notify,
) -> ConnectedCluster:
    """Let the nodes of a cluster pull from the registry, by the name that it has on this machine.

    Nothing is done twice, so it also completes what was interrupted, and tells new nodes.

    Args:
        engine: The registry's.
        registry: Running.
        kind: The kind of cluster.
        name: Its name; None for the usual one, or the only one.
        answers: What each engine on this machine answered.
        notify: Gets notes for the user.

    Raises:
        NotFoundError: there is no such cluster.
        UsageError: there are several, and none was named.
        ConflictError: the cluster cannot be connected to this registry.
        ConfigError: a node cannot pull from the registry after all.
    """
    cluster = get_cluster(engine, kind, name, command="connect", location=registry.get_location(), others=answers)
    for stopped in cluster.stopped:
        notify(f"node `{stopped}` is stopped, and was not told of the registry")
    if not cluster.networks:
        raise ConflictError(
            f"the nodes of {kind.name} cluster `{cluster.name}` share no network in which they can find the registry",
            hint=f"{engine.info().name} network inspect {cluster.nodes[0].networks[0]}"
            if cluster.nodes[0].networks
            else None,
        )
    if lacks_its_name(registry):
        name = registry.container.name
        raise ConflictError(
            f"the registry's certificate does not have the name `{name}`, by which the nodes reach it",
            hint=CommandLine("up", "--recreate", "--san", name),
        )
    nodes = cluster.open_nodes(engine)
    for node in nodes:
        if obstacle := kind.find_obstacle(node.ask, cluster.name, registry.get_location()):
            raise obstacle
    joined = [network for network in cluster.networks if network in registry.container.networks]
    network = (joined or cluster.networks)[0]
    registry = join_network(engine, registry, network, answers=answers, notify=notify)
    source = source_of(registry)
    told = [ConnectedNode(node.name, node.path_of(source), node.write(source)) for node in nodes]
    refusals = {node.name: refusal for node in nodes if (refusal := node.find_refusal(source))}
    if refusals:
        raise _refused(cluster, told, refusals)
    published = hosting.apply(kind, cluster.find_primary(nodes), source)
    config_map = ConfigMap.of(source)
    return ConnectedCluster(cluster, registry, network, tuple(told), published, config_map, in_network_of(registry))


def _refused(cluster: Cluster, told: Sequence[ConnectedNode], refusals: Mapping[str, str]) -> ConfigError:
    """The error for nodes that cannot pull from the registry after all."""
    kind = cluster.kind
    foreign = [node for node in told if node.written is Written.FOREIGN and node.name in refusals]
    hint: str = CommandLine("disconnect", kind.name, cluster.name)
    if any("config_path" in refusal for refusal in refusals.values()):
        hint = Sentence(kind.without_hosts)
    elif foreign:
        hint = Sentence("remove that file, or change it, and run this command again")
    return ConfigError(
        f"{kind.name} cluster `{cluster.name}` cannot pull from the registry",
        hint=hint,
        details=[
            *(f"containerd in node {name} {refusal}" for name, refusal in refusals.items()),
            *(f"node {node.name} has another {node.path}, which localreg left alone" for node in foreign),
        ],
    )


def connect_network(
    engine: Engine, registry: Registry, network: str, *, answers: Sequence[Answer], notify: Notify
) -> ConnectedNetwork:
    """Let the containers of a network reach the registry.

    Raises:
        NotFoundError: there is no such network.
        UsageError: containers in it do not find each other by name.
    """
    program = engine.info().name
    if is_usual(network):
        raise UsageError(
            f"in network `{network}`, containers do not find each other by name; use one that you created",
            hint=f"{program} network create NAME",
        )
    existing = [name for name in engine.list_networks() if not is_usual(name)]
    if network not in existing:
        named = ", ".join(f"`{name}`" for name in sorted(existing))
        raise NotFoundError(
            f"{program.capitalize()} has no network `{network}`" + (f"; there is {named}" if named else ""),
            hint=CommandLine("connect", "network", min(existing))
            if existing
            else f"{program} network create {network}",
        )
    if lacks_its_name(registry):
        name = registry.container.name
        cure = CommandLine("up", "--recreate", "--san", name)
        cure = cure.for_registry(engine=None, name=None if name == DEFAULT_NAME else name)
        notify(f"the registry's certificate does not have the name `{name}`; `{cure}` adds it")
    was_in_it = network in joined_networks(registry.container)
    registry = join_network(engine, registry, network, answers=answers, notify=notify)
    return ConnectedNetwork(network, registry, was_in_it, in_network_of(registry))


def source_of(registry: Registry) -> Source:
    """The registry, as a node in its network is told of it."""
    scheme = "http" if registry.speaks_plain_http else "https"
    url = f"{scheme}://{in_network_of(registry)}"
    return Source(registry.container.name, registry.get_location(), url, ca_of(registry))


def lacks_its_name(registry: Registry) -> bool:
    """Whether clients in a network refuse its certificate, because it does not have the name of its container."""
    facts = tls_of(registry)
    return facts is not None and registry.container.name not in facts.names


def in_network_of(registry: Registry) -> str:
    """The registry's `HOST:PORT` in the networks that it joined."""
    port = CONTAINER_PORT if registry.published is None else registry.published.container_port
    return f"{registry.container.name}:{port}"
