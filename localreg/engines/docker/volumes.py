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
    """What Docker does with volumes."""

    _client: docker.APIClient
    """The engine's, of which this is a part."""

    def find_volume(self, name: str) -> Volume | None:
        """The volume of exactly this name."""
        with docker_errors(f"look for volume `{name}`"):
            try:
                return _volume(self._client.inspect_volume(name))
            except docker.errors.NotFound:
                return None

    def list_volumes(self) -> list[Volume]:
        """Every volume, anonymous ones included."""
        with docker_errors("list volumes"):
            return [_volume(entry) for entry in self._client.volumes()["Volumes"] or ()]

    def create_volume(self, name: str, labels: Mapping[str, str]) -> Volume:
        """Create it; one that exists is returned as it is."""
        with docker_errors(f"create volume `{name}`"):
            return _volume(self._client.create_volume(name, labels=dict(labels)))

    def remove_volume(self, name: str) -> None:
        """Remove it with its data."""
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
    return Volume(entry["Name"], entry.get("Labels") or {})
