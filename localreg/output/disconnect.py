"""The result of `disconnect`."""

from __future__ import annotations

from localreg.clusters.disconnect import DisconnectedCluster
from localreg.clusters.hosting import NAME, NAMESPACE
from localreg.output.block import block
from localreg.output.streams import Renderings


def render_cluster(result: DisconnectedCluster, name: str) -> Renderings:
    """Lay out a cluster that no longer knows the registry.

    Args:
        result: Of `disconnect kind` and its like.
        name: The registry's.
    """
    cluster = result.cluster
    did_something = bool(result.nodes or result.had_config_map or result.left)

    def table(width: int) -> str:
        what = f"{cluster.kind.name} cluster `{cluster.name}`"
        verb = "no longer knows" if did_something else "did not know"
        facts = [
            *([("nodes", ", ".join(result.nodes))] if result.nodes else []),
            *([("removed", f"{NAME} in {NAMESPACE}")] if result.had_config_map else []),
            *([("left", f"network {result.left}")] if result.left else []),
            *([("stays in", f"the network, for {result.used_by}")] if result.used_by else []),
        ]
        return block(f"{what} {verb} registry `{name}`", facts, width=width)

    return Renderings(
        table=table,
        plain=lambda: "\n".join(result.nodes),
        json=lambda: {
            "kind": cluster.kind.name,
            "cluster": cluster.name,
            "registry": name,
            "nodes": list(result.nodes),
            "config_map_removed": result.had_config_map,
            "network_left": result.left,
            "network_used_by": result.used_by,
        },
    )


def render_network(network: str, name: str, *, was_in_it: bool) -> Renderings:
    """Lay out a network that the registry is not in.

    Args:
        network: Its name.
        name: The registry's.
        was_in_it: It was before.
    """
    state = "left" if was_in_it else "was not in"
    return Renderings(
        table=lambda width: block(f"Registry `{name}` {state} network `{network}`", width=width),
        plain=lambda: network if was_in_it else "",
        json=lambda: {"network": network, "registry": name, "action": "disconnected" if was_in_it else "unchanged"},
    )
