"""The clusters on an engine, and the one that the user means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from localreg.clusters.node import Node
from localreg.clusters.port import ClusterKind
from localreg.engines.discovery.probe import Answer
from localreg.engines.port import ContainerRuntime
from localreg.engines.values import Container
from localreg.errors import ConflictError, NotFoundError, UsageError
from localreg.registry.networks import joined_networks
from localreg.system.command_line import CommandLine


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster whose nodes are containers of one engine."""

    kind: ClusterKind
    name: str
    nodes: tuple[Container, ...]
    """Running or not, sorted by name."""

    @property
    def networks(self) -> tuple[str, ...]:
        """The networks that all its nodes are in, without the engine's own, in which no name is known."""
        shared = [joined_networks(node) for node in self.nodes]
        return tuple(name for name in shared[0] if all(name in others for others in shared))

    @property
    def stopped(self) -> tuple[str, ...]:
        """The names of the nodes that are not running."""
        return tuple(node.name for node in self.nodes if not node.is_running)

    @property
    def context(self) -> str:
        """Its context in a kubeconfig."""
        return self.kind.context.format(self.name)

    def open_nodes(self, engine: ContainerRuntime) -> list[Node]:
        """Its running nodes."""
        return [Node(engine, self.kind, node) for node in self.nodes if node.is_running]

    def find_primary(self, nodes: Sequence[Node]) -> Node | None:
        """The node whose kubectl can be used; None if it does not run."""
        names = {container.name for container in self.nodes if self.kind.is_primary(container)}
        return next((node for node in nodes if node.name in names), None)


def list_clusters(kind: ClusterKind, containers: Sequence[Container]) -> dict[str, Cluster]:
    """The clusters of a kind by name."""
    found: dict[str, list[Container]] = {}
    for container in sorted(containers, key=lambda each: each.name):
        name = kind.cluster_of(container.labels)
        if name:
            found.setdefault(name, []).append(container)
    return {name: Cluster(kind, name, tuple(nodes)) for name, nodes in sorted(found.items())}


def get_cluster(
    engine: ContainerRuntime,
    kind: ClusterKind,
    name: str | None,
    *,
    command: str,
    location: str,
    others: Sequence[Answer],
) -> Cluster:
    """The cluster of that name; without a name, the one of the usual name, or the only one.

    Args:
        engine: The registry's.
        kind: The kind of cluster.
        name: The name that was typed.
        command: `connect` or `disconnect`, for hints.
        location: The registry's, for hints.
        others: What each engine on this machine answered.

    Raises:
        NotFoundError: there is no such cluster.
        UsageError: there are several, none of the usual name.
        ConflictError: it is on another engine, or in a virtual machine, or stopped.
    """
    found = list_clusters(kind, engine.list_containers())
    if name is None:
        name = next(iter(found)) if len(found) == 1 else kind.usual
        if name not in found and len(found) > 1:
            raise UsageError(
                f"there are {len(found)} {kind.name} clusters: {', '.join(f'`{each}`' for each in found)}",
                hint=CommandLine(command, kind.name, next(iter(found))),
            )
    cluster = found.get(name)
    if cluster is None:
        _refuse_elsewhere(engine, kind, name, others)
        if elsewhere := kind.find_elsewhere(name, location):
            raise elsewhere
        names = ", ".join(f"`{each}`" for each in found)
        create = kind.create.format(name) if command == "connect" else None
        raise NotFoundError(
            f"{engine.info().name.capitalize()} has no {kind.name} cluster `{name}`"
            + (f"; there is {names}" if names else ""),
            hint=CommandLine(command, kind.name, next(iter(found))) if found else create,
        )
    if len(cluster.stopped) == len(cluster.nodes):
        start = kind.start.format(name) or " ".join((engine.info().name, "start", *cluster.stopped))
        raise ConflictError(f"{kind.name} cluster `{name}` is stopped", hint=start)
    return cluster


def _refuse_elsewhere(engine: ContainerRuntime, kind: ClusterKind, name: str, others: Sequence[Answer]) -> None:
    """Raise the error for a cluster that another engine has."""
    mine = engine.info()
    for answer in others:
        if answer.endpoint.url == mine.endpoint or not _has(answer, kind, name):
            continue
        words = ("--engine", answer.engine) if answer.engine != mine.name else ()
        raise ConflictError(
            f"{kind.name} cluster `{name}` is on {answer.engine.capitalize()} at {answer.endpoint.shown}, "
            f"and the registry on {mine.name.capitalize()}; a cluster can only use a registry on its own engine",
            hint=CommandLine(*words, "--name", f"{name}-registry", "up"),
        )


def _has(answer: Answer, kind: ClusterKind, name: str) -> bool:
    labels: list[Mapping[str, str]] = [container.labels for container in answer.containers]
    return any(kind.cluster_of(each) == name for each in labels)
