"""Commands in the containers of a Docker daemon."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import docker
import docker.errors

from localreg.engines.common.command_output import CHUNK, iter_output
from localreg.engines.docker.connection import docker_errors, said
from localreg.errors import ContainerNotFoundError, EngineError


class DockerExec:
    """Docker's `exec`."""

    _client: docker.APIClient
    """Set by the engine's class, which inherits from this one."""

    def run_in_container(self, container_id: str, command: Sequence[str]) -> Iterator[bytes]:
        """Run a command in a running container; unlike the SDK's method, this tells if the connection breaks."""
        doing = f"run `{command[0]}` in container `{container_id[:12]}`"
        with docker_errors(doing):
            try:
                exec_id = self._client.exec_create(container_id, list(command))["Id"]
            except docker.errors.NotFound as exc:
                raise ContainerNotFoundError(
                    f"Docker has no container `{container_id[:12]}`", details=said(exc)
                ) from exc
            response = self._client.post(
                f"{self._client.base_url}/v{self._client.api_version}/exec/{exec_id}/start",
                json={"Detach": False, "Tty": False},
                stream=True,
                # Unlike the SDK's own methods, `post` has no timeout.
                timeout=self._client.timeout,
            )
            with contextlib.closing(response):
                if not response.ok:
                    raise EngineError(f"Docker could not {doing}", details=response.text.splitlines())
                yield from iter_output(response.iter_content(CHUNK), inspect=lambda: self._client.exec_inspect(exec_id))
