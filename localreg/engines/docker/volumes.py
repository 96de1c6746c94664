"""The volumes of a Docker daemon."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import docker
import docker.errors
import requests

from localreg.engines.docker.connection import docker_errors, said
from localreg.engines.values import Volume
from localreg.errors import InUseError


class DockerVolumes:
    """Docker's volumes."""

    _client: docker.APIClient
    """Set by the engine's class, which inherits from this one."""

    def find_volume(self, name: str) -> Volume | None:
        """Find a volume by its exact name."""
        with docker_errors(f"look for volume `{name}`"):
            try:
                return _volume(self._client.inspect_volume(name))
            except docker.errors.NotFound:
                return None

    def list_volumes(self) -> list[Volume]:
        """List all volumes, including anonymous ones."""
        with docker_errors("list volumes"):
            return [_volume(entry) for entry in self._client.volumes()["Volumes"] or ()]

    def create_volume(self, name: str, labels: Mapping[str, str]) -> Volume:
        """Create a volume, or return the existing one."""
        with docker_errors(f"create volume `{name}`"):
            return _volume(self._client.create_volume(name, labels=dict(labels)))

    def remove_volume(self, name: str) -> None:
        """Remove a volume and its data."""
        with docker_errors(f"remove volume `{name}`"):
            try:
                self._client.remove_volume(name)
            except docker.errors.NotFound:
                return
            except docker.errors.APIError as exc:
                if exc.status_code == requests.codes.conflict:
                    raise InUseError(f"volume `{name}` is in use", details=said(exc)) from exc
                raise


def _volume(entry: Mapping[str, Any]) -> Volume:
    return Volume(entry["Name"], entry.get("Labels") or {}, entry.get("Mountpoint") or None)
