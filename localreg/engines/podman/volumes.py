"""The volumes of a Podman service."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import podman.errors
import requests

from localreg.engines.podman.connection import Connection, podman_errors, quoted, said
from localreg.engines.values import AnonymousMount, ContainerSpec, HostPathMount, Volume, VolumeMount
from localreg.errors import InUseError


class PodmanVolumes:
    """Podman's volumes."""

    _connection: Connection
    """Set by the engine's class, which inherits from this one."""

    def find_volume(self, name: str) -> Volume | None:
        """Find a volume by its exact name; Podman alone would accept the start of a name."""
        if not name:
            return None
        with podman_errors(f"look for volume `{name}`"):
            try:
                volume = _volume(self._connection.get(f"/volumes/{quoted(name)}/json").json())
            except podman.errors.NotFound:
                return None
        return volume if volume.name == name else None

    def list_volumes(self) -> list[Volume]:
        """List all volumes, including anonymous ones."""
        with podman_errors("list volumes"):
            return [_volume(entry) for entry in self._connection.get("/volumes/json").json() or ()]

    def create_volume(self, name: str, labels: Mapping[str, str]) -> Volume:
        """Create a volume, or return the existing one, which Podman refuses to create."""
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
        """Remove a volume and its data."""
        if self.find_volume(name) is None:
            return
        with podman_errors(f"remove volume `{name}`"):
            try:
                self._connection.delete(f"/volumes/{quoted(name)}")
            except podman.errors.APIError as exc:
                if exc.status_code == requests.codes.conflict:
                    raise InUseError(f"volume `{name}` is in use", details=said(exc)) from exc
                raise

    def _volumes(self, spec: ContainerSpec) -> dict[str, dict[str, str]]:
        match spec.mount:
            case VolumeMount(volume=source, target=target):
                return {source: {"bind": target, "mode": "rw"}}
            case HostPathMount(path=source, target=target):
                return {source: {"bind": target, "mode": "Z" if self._has_selinux() else "rw"}}
            case AnonymousMount() | None:
                # The registry's image declares the folder as a volume.
                return {}

    def _has_selinux(self) -> bool:
        about = self._connection.get("/info").json()
        return bool(about.get("host", {}).get("security", {}).get("selinuxEnabled"))


def _volume(entry: Mapping[str, Any]) -> Volume:
    return Volume(entry["Name"], entry.get("Labels") or {}, entry.get("Mountpoint") or None)
