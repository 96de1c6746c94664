"""The ConfigMap that tells Tilt, Skaffold and other tools where the registry of a cluster is (KEP-1755).

It is applied by the kubectl in a node, which cannot be the one of another cluster.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from localreg.clusters.node import Node, Source
from localreg.clusters.port import ClusterKind
from localreg.errors import EngineError, EngineLostError

NAME, NAMESPACE = "local-registry-hosting", "kube-public"
_WHERE = f"configmap {NAME} --namespace {NAMESPACE} --request-timeout 10s"
_KEY = "localRegistryHosting.v1"
_OWNER, _REGISTRY = "app.kubernetes.io/managed-by", "localreg.name"


class Hosting(StrEnum):
    """What was done about the ConfigMap."""

    APPLIED = "applied"
    UNCHANGED = "unchanged"
    FOREIGN = "foreign"
    """There is one that localreg did not make for this registry. A cluster can have only one."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ConfigMap:
    """The ConfigMap of a registry."""

    text: str
    """In YAML, for `kubectl apply`."""
    manifest: dict[str, Any]

    @classmethod
    def of(cls, source: Source) -> ConfigMap:
        """The one for a registry.

        Pods pull by the same name as this machine, so it does not say what they call the registry.
        """
        in_cluster = source.url.partition("://")[2]
        value = f"host: {json.dumps(source.location)}\nhostFromClusterNetwork: {json.dumps(in_cluster)}\n"
        labels = {_OWNER: "localreg", _REGISTRY: source.name}
        metadata = {"name": NAME, "namespace": NAMESPACE, "labels": labels}
        manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {_KEY: value}}
        indented = "".join(f"    {line}\n" for line in value.splitlines())
        text = (
            f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {NAME}\n  namespace: {NAMESPACE}\n  labels:\n"
            f"    {_OWNER}: localreg\n    {_REGISTRY}: {json.dumps(source.name)}\ndata:\n  {_KEY}: |\n{indented}"
        )
        return cls(text, manifest)


def apply(kind: ClusterKind, node: Node | None, source: Source) -> Hosting:
    """Apply the ConfigMap of a registry, unless there is one of others.

    Args:
        kind: Of the cluster.
        node: The one whose kubectl is used; None if there is none.
        source: The registry.
    """
    if node is None:
        return Hosting.FAILED
    wanted = ConfigMap.of(source)
    try:
        here = _read(kind, node)
        if here is not None and not _is_ours(here, source.name):
            return Hosting.FOREIGN
        if here is not None and here.get("data") == wanted.manifest["data"]:
            return Hosting.UNCHANGED
        manifest = json.dumps(wanted.manifest)
        node.shell(f'printf %s "$1" | {kind.kubectl} apply --request-timeout 10s -f -', manifest)
    except EngineLostError:
        raise
    except (EngineError, ValueError):
        return Hosting.FAILED
    return Hosting.APPLIED


def remove(kind: ClusterKind, node: Node | None, name: str) -> bool:
    """Remove the ConfigMap that localreg made for the registry of this name; returns whether there was one."""
    if node is None:
        return False
    try:
        here = _read(kind, node)
        if here is None or not _is_ours(here, name):
            return False
        node.shell(f"{kind.kubectl} delete {_WHERE} --ignore-not-found")
    except EngineLostError:
        raise
    except (EngineError, ValueError):
        return False
    return True


def _read(kind: ClusterKind, node: Node) -> dict[str, Any] | None:
    text = node.shell(f"{kind.kubectl} get {_WHERE} --ignore-not-found --output json")
    found = json.loads(text) if text.strip() else None
    return found if isinstance(found, dict) else None


def _is_ours(found: dict[str, Any], name: str) -> bool:
    labels = (found.get("metadata") or {}).get("labels") or {}
    return labels.get(_OWNER) == "localreg" and labels.get(_REGISTRY) == name
