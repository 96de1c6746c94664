"""The volumes of a Podman service."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import podman.errors
import requests

from localreg.engines.podman.connection import Connection, podman_errors, quoted, said
from localreg.engines.values import Volume
from localreg.errors import InUseError


class PodmanVolumes:
    """What Podman does with volumes."""

    _connection: Connection
    """The engine's, of which this is a part."""

    def find_volume(self, name: str) -> Volume | None:
        """The volume of exactly this name; Podman would take the start of one."""
        if not name:
            return None
        with podman_errors(f"look for volume `{name}`"):
            try:
                volume = _volume(self._connection.get(f"/volumes/{quoted(name)}/json").json())
            except podman.errors.NotFound:
                return None
        return volume if volume.name == name else None

    def list_volumes(self) -> list[Volume]:
        """Every volume, anonymous ones included."""
        with podman_errors("list volumes"):
            return [_volume(entry) for entry in self._connection.get("/volumes/json").json() or ()]

    def create_volume(self, name: str, labels: Mapping[str, str]) -> Volume:
        """Create it; one that exists, which Podman refuses to create, is returned as it is."""
        with podman_errors(f"create volume `{name}`"):
            try:
                body = json.dumps({"Name": name, "Labels": dict(labels)})
                return _volume(self._connection.post("/volumes/create", data=body).json())
            except podman.errors.APIError:
                existing = self.find_volume(name)
                if existing is None:
                    raise
                return existing

    def remove_volume(self, name: str) -> None:
        """Remove it with its data."""
        if self.find_volume(name) is None:
            return
        with podman_errors(f"remove volume `{name}`"):
            try:
                self._connection.delete(f"/volumes/{quoted(name)}")
            except podman.errors.APIError as exc:
                if exc.status_code == requests.codes.conflict:
                    raise InUseError(f"volume `{name}` is in use", details=said(exc)) from exc
                raise


def _volume(entry: Mapping[str, Any]) -> Volume:
    return Volume(entry["Name"], entry.get("Labels") or {})
