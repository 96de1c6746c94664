"""Commands in the containers of a Docker daemon."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

import docker
import docker.errors

from localreg.engines.common.shells import SHELL, UPGRADE, OpenShell, Shells
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
        """Run a command in a running container."""
        doing = f"run `{command[0]}` in container `{container_id[:12]}`"
        with docker_errors(doing):
            output = self._shells.run(container_id, command)
        return _read(output, doing)

    def _open_shell(self, container_id: str) -> OpenShell:
        try:
            exec_id = self._client.exec_create(container_id, SHELL, stdin=True)["Id"]
        except docker.errors.NotFound as exc:
            raise ContainerNotFoundError(f"Docker has no container `{container_id[:12]}`", details=said(exc)) from exc
        response = self._client.post(
            f"{self._client.base_url}/v{self._client.api_version}/exec/{exec_id}/start",
            json={"Detach": False, "Tty": False},
            headers=UPGRADE,
            stream=True,
            # Unlike the SDK's own methods, `post` has no timeout.
            timeout=self._client.timeout,
        )
        if not response.ok:
            with contextlib.closing(response):
                raise EngineError(
                    f"Docker could not start a shell in container `{container_id[:12]}`",
                    details=response.text.splitlines(),
                )
        return OpenShell(response, inspect=partial(self._inspect_exec, exec_id))

    def _inspect_exec(self, exec_id: str) -> Mapping[str, Any] | None:
        try:
            found: Mapping[str, Any] = self._client.exec_inspect(exec_id)
        except docker.errors.NotFound:
            return None
        return found


def _read(output: Iterator[bytes], doing: str) -> Iterator[bytes]:
    with docker_errors(doing):
        yield from output
