"""What localreg knows of a kind of cluster whose nodes are containers.

A node of any kind pulls with containerd, which has a `hosts.toml` for each registry. The kinds differ in their labels
and in places in a node. Each has a module with a `ClusterKind`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from localreg.engines.values import Container
from localreg.errors import EngineError, LocalregError

Ask = Callable[..., str]
"""Runs a program with its arguments in a node, and returns what it writes to stdout; raises `EngineError`."""


@dataclass(frozen=True, slots=True)
class ClusterKind:
    """A kind of cluster; its nodes have a label with the cluster's name."""

    name: str
    """The word for it on the command line."""
    usual: str
    """The name of a cluster that was created without one."""
    cluster_label: str
    role_label: str
    roles: frozenset[str]
    """The roles of nodes that pull; empty if all do."""
    hosts_folder: str
    """Where containerd looks for registries if its configuration does not tell."""
    configuration: tuple[str, ...]
    """The command in a node that prints containerd's configuration."""
    kubectl: str
    """The start of a kubectl command in `primary`, for a shell."""
    context: str
    """The cluster's context in a kubeconfig, with `{}` for its name."""
    create: str
    """The command that creates a cluster, with `{}` for its name."""
    start: str
    """The command that starts a stopped cluster, with `{}` for its name; empty if the engine's own does."""
    without_hosts: str
    """What to do about a node whose containerd reads no `hosts.toml`, as a sentence."""

    def cluster_of(self, labels: Mapping[str, str]) -> str | None:
        """The cluster that a container with these labels is a node of; None if it is not a node that pulls."""
        if self.roles and labels.get(self.role_label) not in self.roles:
            return None
        return labels.get(self.cluster_label)

    def is_primary(self, node: Container) -> bool:
        """Whether kubectl can be used in this node."""
        return node.labels.get(self.role_label) in ("control-plane", "server")

    def find_obstacle(self, ask: Ask, cluster: str, location: str) -> LocalregError | None:
        """Why a node cannot be told of the registry; None if it can.

        Args:
            ask: Of the node.
            cluster: The cluster's name.
            location: The registry's.
        """
        del ask, cluster, location
        return None

    def find_elsewhere(self, cluster: str, location: str) -> LocalregError | None:
        """The error for a cluster whose nodes are not containers; None if there is no such cluster."""
        del cluster, location
        return None


_CONFIG_PATH = re.compile(r"""^\s*config_path\s*=\s*(["'])(.*?)\1""", re.MULTILINE)
_MIRROR = re.compile(r"""\.registry\.mirrors\.(["'])(.*?)\1\]""")


def read_configuration(kind: ClusterKind, ask: Ask) -> str | None:
    """The text of a node's containerd configuration; None if it cannot be read."""
    try:
        return ask(*kind.configuration)
    except EngineError:
        return None


def hosts_folder_in(configuration: str) -> str:
    """The folder of registries in containerd's configuration; empty if it has none."""
    found = [folder for _, folders in _CONFIG_PATH.findall(configuration) if (folder := folders.partition(":")[0])]
    return found[0] if found else ""


def mirrors_in(configuration: str) -> list[str]:
    """The registries that containerd's configuration has `mirrors` for, an older way than `hosts.toml`."""
    return [registry for _, registry in _MIRROR.findall(configuration)]
