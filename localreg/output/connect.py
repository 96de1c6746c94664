"""The result of `connect`."""

from __future__ import annotations

from localreg.clusters.connect import ConnectedCluster, ConnectedNetwork
from localreg.clusters.hosting import NAME, NAMESPACE, Hosting
from localreg.clusters.node import Written
from localreg.engines.values import EngineInfo
from localreg.output.block import block
from localreg.output.streams import Renderings

_HOSTING = {
    Hosting.APPLIED: f"applied {NAME} in {NAMESPACE}",
    Hosting.UNCHANGED: f"{NAME} in {NAMESPACE}, as before",
    Hosting.FOREIGN: f"left {NAME} in {NAMESPACE} alone: it is of another registry",
}


def render_cluster(result: ConnectedCluster, *, command: str) -> Renderings:
    """Lay out a cluster that was told of the registry.

    Args:
        result: Of `connect kind` and its like.
        command: `localreg`, with the registry's name unless that is the default.
    """
    cluster = result.cluster

    def table(width: int) -> str:
        what = f"{cluster.kind.name} cluster `{cluster.name}`"
        headline = f"{what} pulls from the registry as {result.location}"
        facts = [
            ("network", result.network),
            *((_fact(node.written), f"{node.name}: {node.path}") for node in result.nodes),
            ("tools", _HOSTING.get(result.hosting, f"could not apply {NAME} with the kubectl of a node")),
            *([("login", _secret(result))] if result.registry.options.auth else []),
            ("image", f"{result.location}/NAME:TAG, as on this machine"),
            ("in pods", f"{_scheme(result)}://{result.in_network}"),
            ("undo", f"{command} disconnect {cluster.kind.name} {cluster.name}"),
        ]
        laid_out = block(headline, facts, width=width)
        if result.hosting is not Hosting.FAILED:
            return laid_out
        apply = f"kubectl --context {cluster.context} apply -f -"
        return (
            f"{laid_out}\n\nFor Tilt, Skaffold and similar tools, give this to `{apply}`:\n\n{result.config_map.text}"
        )

    def plain() -> str:
        return "\n".join("\t".join((node.name, str(node.written), node.path)) for node in result.nodes)

    return Renderings(
        table=table,
        plain=plain,
        quiet=lambda: result.location,
        json=lambda: {
            "kind": cluster.kind.name,
            "cluster": cluster.name,
            "context": cluster.context,
            "registry": result.registry.container.name,
            "location": result.location,
            "in_network": result.in_network,
            "network": result.network,
            "nodes": [{"name": node.name, "path": node.path, "action": str(node.written)} for node in result.nodes],
            "config_map": {"action": str(result.hosting), "manifest": result.config_map.manifest},
        },
    )


def _fact(written: Written) -> str:
    return {Written.WRITTEN: "wrote", Written.UNCHANGED: "kept", Written.FOREIGN: "left alone"}[written]


def _scheme(result: ConnectedCluster | ConnectedNetwork) -> str:
    return "http" if result.registry.speaks_plain_http else "https"


def _secret(result: ConnectedCluster) -> str:
    """The command for the login of pods."""
    return (
        f"`kubectl --context {result.cluster.context} create secret docker-registry localreg --docker-server "
        f"{result.location} --docker-username USER --docker-password PASSWORD`, then imagePullSecrets in each pod"
    )


def render_network(result: ConnectedNetwork, info: EngineInfo, *, command: str) -> Renderings:
    """Lay out a network that the registry is in.

    Args:
        result: Of `connect network`.
        info: The engine.
        command: `localreg`, with the registry's name unless that is the default.
    """
    name, location = result.registry.container.name, result.registry.get_location()
    url = f"{_scheme(result)}://{result.in_network}"

    def table(width: int) -> str:
        state = "is already" if result.was_in_it else "is now"
        headline = f"Registry `{name}` {state} in network `{result.network}` as {result.in_network}"
        plain_http = [("allow", "plain HTTP in these programs, such as `skopeo copy --src-tls-verify=false`")]
        facts = [
            ("programs", f"in containers of this network reach it at {url}"),
            *(plain_http if result.registry.speaks_plain_http else []),
            ("images", f"of containers stay {location}/NAME:TAG, because {info.name.capitalize()} pulls them"),
            ("undo", f"{command} disconnect network {result.network}"),
        ]
        return block(headline, facts, width=width)

    return Renderings(
        table=table,
        plain=lambda: result.in_network,
        json=lambda: {
            "network": result.network,
            "registry": name,
            "location": location,
            "in_network": result.in_network,
            "url": url,
            "action": "unchanged" if result.was_in_it else "connected",
        },
    )
