"""Commands in the containers of a Docker daemon."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from typing import Any

import docker
import docker.errors

from localreg.engines.common.command_output import CHUNK, iter_output
from localreg.engines.common.shells import SHELL, OpenShell, Shells
from localreg.engines.docker.connection import docker_errors, said
from localreg.errors import ContainerNotFoundError, EngineError


class DockerExec:
    """Docker's `exec`."""

    _client: docker.APIClient
    """Set by the engine's class, which inherits from this one."""

    @cached_property
    def _shells(self) -> Shells:
        return Shells(self._open_shell)

    def run_in_container(self, container_id: str, command: Sequence[str]) -> Iterator[bytes]:
        """Run a command in a running container; unlike the SDK's method, this tells if the connection breaks."""
        with docker_errors(_doing(container_id, command)):
            exec_id, response = self._start(container_id, command)
            with contextlib.closing(response):
                yield from iter_output(
                    response.iter_content(CHUNK), inspect=partial(self._client.exec_inspect, exec_id)
                )

    def run_in_shell(self, container_id: str, command: Sequence[str]) -> Iterator[bytes]:
        """Run a command in a shell of a running container that stays open."""
        with docker_errors(_doing(container_id, command)):
            yield from self._shells.run(container_id, command)

    def _open_shell(self, container_id: str) -> OpenShell:
        exec_id, response = self._start(container_id, SHELL, stdin=True)
        return OpenShell(response, inspect=partial(self._client.exec_inspect, exec_id))

    def _start(self, container_id: str, command: Sequence[str], *, stdin: bool = False) -> tuple[str, Any]:
        """Start a command; returns its ID and the response with its output, to be closed."""
        try:
            exec_id: str = self._client.exec_create(container_id, list(command), stdin=stdin)["Id"]
        except docker.errors.NotFound as exc:
            raise ContainerNotFoundError(f"Docker has no container `{container_id[:12]}`", details=said(exc)) from exc
        response = self._client.post(
            f"{self._client.base_url}/v{self._client.api_version}/exec/{exec_id}/start",
            json={"Detach": False, "Tty": False},
            stream=True,
            # Unlike the SDK's own methods, `post` has no timeout.
            timeout=self._client.timeout,
        )
        if not response.ok:
            with contextlib.closing(response):
                raise EngineError(
                    f"Docker could not {_doing(container_id, command)}", details=response.text.splitlines()
                )
        return exec_id, response


def _doing(container_id: str, command: Sequence[str]) -> str:
    return f"run `{command[0]}` in container `{container_id[:12]}`"
