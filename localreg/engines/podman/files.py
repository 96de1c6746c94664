"""Files in the containers of a Podman service."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import podman.errors

from localreg.engines.common.files import only_file_in, upload_of
from localreg.engines.files import ContainerFile
from localreg.engines.podman.connection import Connection, podman_errors, quoted, said
from localreg.errors import ContainerNotFoundError

_CHUNK = 1 << 16


class PodmanFiles:
    """Podman's archives of a container's files."""

    _connection: Connection
    """Set by the engine's class, which inherits from this one."""

    def put_files(self, container_id: str, folder: str, files: Mapping[str, ContainerFile]) -> None:
        """Put files into a container, running or not."""
        with podman_errors(f"put files into container `{container_id[:12]}`"):
            upload = upload_of(self._described(container_id), folder, files)
            self._connection.put(_archive(container_id), params={"path": upload.folder}, data=upload.archive)

    def read_file(self, container_id: str, path: str) -> bytes | None:
        """Read a small file of a container, running or not."""
        with podman_errors(f"read `{path}` of container `{container_id[:12]}`"):
            try:
                response = self._connection.get(_archive(container_id), params={"path": path}, stream=True)
            except podman.errors.NotFound:
                # Podman returns the same for a file and for a container that does not exist.
                self._described(container_id)
                return None
            with contextlib.closing(response):
                return only_file_in(response.iter_content(_CHUNK))

    def _described(self, container_id: str) -> Mapping[str, Any]:
        try:
            found: Mapping[str, Any] = self._connection.get(
                f"/containers/{quoted(container_id)}/json", compatible=True
            ).json()
        except podman.errors.NotFound as exc:
            raise ContainerNotFoundError(f"Podman has no container `{container_id[:12]}`", details=said(exc)) from exc
        return found


def _archive(container_id: str) -> str:
    return f"/containers/{quoted(container_id)}/archive"
