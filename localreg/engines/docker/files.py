"""Files in the containers of a Docker daemon."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import docker
import docker.errors

from localreg.engines.common.files import only_file_in, upload_of
from localreg.engines.docker.connection import docker_errors, said
from localreg.engines.files import ContainerFile
from localreg.errors import ContainerNotFoundError


class DockerFiles:
    """Docker's archives of a container's files."""

    _client: docker.APIClient
    """Set by the engine's class, which inherits from this one."""

    def put_files(self, container_id: str, folder: str, files: Mapping[str, ContainerFile]) -> None:
        """Put files into a container, running or not."""
        with docker_errors(f"put files into container `{container_id[:12]}`"):
            upload = upload_of(self._described(container_id), folder, files)
            self._client.put_archive(container_id, upload.folder, upload.archive)

    def read_file(self, container_id: str, path: str) -> bytes | None:
        """Read a small file of a container, running or not."""
        with docker_errors(f"read `{path}` of container `{container_id[:12]}`"):
            try:
                chunks, _ = self._client.get_archive(container_id, path)
            except docker.errors.NotFound:
                # Docker returns the same for a file and for a container that does not exist.
                self._described(container_id)
                return None
            return only_file_in(chunks)

    def _described(self, container_id: str) -> Mapping[str, Any]:
        try:
            found: Mapping[str, Any] = self._client.inspect_container(container_id)
        except docker.errors.NotFound as exc:
            raise ContainerNotFoundError(f"Docker has no container `{container_id[:12]}`", details=said(exc)) from exc
        return found
