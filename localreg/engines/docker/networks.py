"""The networks of a Docker daemon."""

from __future__ import annotations

import docker
import docker.errors

from localreg.engines.docker.connection import docker_errors, said
from localreg.errors import ContainerNotFoundError, NotFoundError


class DockerNetworks:
    """Docker's networks."""

    _client: docker.APIClient
    """Set by the engine's class, which inherits from this one."""

    def list_networks(self) -> list[str]:
        """List the names of all networks."""
        with docker_errors("list networks"):
            return [entry["Name"] for entry in self._client.networks()]

    def connect_network(self, container_id: str, network: str) -> None:
        """Connect a container to a network."""
        with docker_errors(f"connect container `{container_id[:12]}` to network `{network}`"):
            try:
                # Docker connects a container that is not running to a network that does not exist.
                self._client.inspect_network(network)
                self._client.connect_container_to_network(container_id, network)
            except docker.errors.NotFound as exc:
                raise _not_found(container_id, network, exc) from exc
            except docker.errors.APIError as exc:
                if "already exists in network" not in str(exc.explanation):
                    raise

    def disconnect_network(self, container_id: str, network: str) -> None:
        """Disconnect a container from a network."""
        with docker_errors(f"disconnect container `{container_id[:12]}` from network `{network}`"):
            try:
                self._client.disconnect_container_from_network(container_id, network)
            except docker.errors.NotFound as exc:
                error = _not_found(container_id, network, exc)
                if isinstance(error, ContainerNotFoundError):
                    raise error from exc
            except docker.errors.APIError as exc:
                if "is not connected to" not in str(exc.explanation):
                    raise


def _not_found(container_id: str, network: str, error: docker.errors.APIError) -> NotFoundError:
    """Docker's status is the same for a network and a container that do not exist."""
    if "o such container" in str(error.explanation):
        return ContainerNotFoundError(f"Docker has no container `{container_id[:12]}`", details=said(error))
    return NotFoundError(f"Docker has no network `{network}`", details=said(error))
