"""The networks of a Podman service."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import podman.errors

from localreg.engines.podman.connection import Connection, podman_errors, quoted, said
from localreg.errors import ContainerNotFoundError, NotFoundError

_USUAL = "podman"
"""The network that every Podman has. A container keeps its published port when it leaves the others."""


class PodmanNetworks:
    """Podman's networks."""

    _connection: Connection
    """Set by the engine's class, which inherits from this one."""

    def list_networks(self) -> list[str]:
        """List the names of all networks."""
        with podman_errors("list networks"):
            return [entry["name"] for entry in self._connection.get("/networks/json").json() or ()]

    def connect_network(self, container_id: str, network: str) -> None:
        """Connect a container to a network."""
        with podman_errors(f"connect container `{container_id[:12]}` to network `{network}`"):
            self._change(container_id, network, "connect", done="already connected")

    def disconnect_network(self, container_id: str, network: str) -> None:
        """Disconnect a container from a network."""
        with podman_errors(f"disconnect container `{container_id[:12]}` from network `{network}`"):
            try:
                self._change(container_id, network, "disconnect", done="not connected")
            except ContainerNotFoundError:
                raise
            except NotFoundError:
                return

    def _change(self, container_id: str, network: str, action: str, *, done: str) -> None:
        try:
            self._connection.post(
                f"/networks/{quoted(network)}/{action}",
                data=json.dumps({"container": container_id}),
                headers={"Content-Type": "application/json"},
            )
        except podman.errors.APIError as exc:
            message = " ".join(said(exc))
            if "no such container" in message:
                raise ContainerNotFoundError(
                    f"Podman has no container `{container_id[:12]}`", details=said(exc)
                ) from exc
            if "network not found" in message:
                raise NotFoundError(f"Podman has no network `{network}`", details=said(exc)) from exc
            if done not in message:
                raise

    def _exposed_ports(self, image: str) -> dict[str, Any]:
        """The ports of a container on the host's network."""
        with podman_errors(f"look for image `{image}`"):
            try:
                found = self._connection.get(f"/images/{quoted(image)}/json", compatible=True).json()
            except podman.errors.NotFound:
                return {}
        return dict(found["Config"].get("ExposedPorts") or {})


def network_options(networks: Sequence[str]) -> dict[str, Any]:
    """The networks of a new container as keyword arguments of podman-py; Podman's usual one without any."""
    return {"network_mode": "bridge", "networks": {name: {} for name in (_USUAL, *networks)}} if networks else {}
