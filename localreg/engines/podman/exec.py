"""Commands in the containers of a Podman service."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

import podman.errors

from localreg.engines.common.command_output import CHUNK, iter_output
from localreg.engines.common.shells import SHELL, OpenShell, Shells
from localreg.engines.podman.connection import Connection, podman_errors, quoted, said
from localreg.errors import ContainerNotFoundError, EngineError


class PodmanExec:
    """Podman's `exec`."""

    _connection: Connection
    """Set by the engine's class, which inherits from this one."""

    @cached_property
    def _shells(self) -> Shells:
        return Shells(self._open_shell)

    def run_in_container(self, container_id: str, command: Sequence[str]) -> Iterator[bytes]:
        """Run a command in a running container; podman-py keeps the whole output in memory."""
        with podman_errors(_doing(container_id, command)):
            exec_id, response = self._start(container_id, command)
            with contextlib.closing(response):
                yield from iter_output(response.iter_content(CHUNK), inspect=partial(self._inspect_exec, exec_id))

    def run_in_shell(self, container_id: str, command: Sequence[str]) -> Iterator[bytes]:
        """Run a command in a shell of a running container that stays open."""
        with podman_errors(_doing(container_id, command)):
            yield from self._shells.run(container_id, command)

    def _open_shell(self, container_id: str) -> OpenShell:
        exec_id, response = self._start(container_id, SHELL, stdin=True)
        return OpenShell(response, inspect=partial(self._inspect_exec, exec_id))

    def _start(self, container_id: str, command: Sequence[str], *, stdin: bool = False) -> tuple[str, Any]:
        """Start a command; returns its ID and the response with its output, to be closed."""
        try:
            exec_id = self._post(
                f"/containers/{quoted(container_id)}/exec",
                {"AttachStdin": stdin, "AttachStdout": True, "AttachStderr": True, "Cmd": list(command)},
            ).json()["Id"]
        except podman.errors.NotFound as exc:
            raise ContainerNotFoundError(f"Podman has no container `{container_id[:12]}`", details=said(exc)) from exc
        try:
            return exec_id, self._post(f"/exec/{exec_id}/start", {"Detach": False, "Tty": False}, stream=True)
        except podman.errors.APIError as exc:
            raise EngineError(f"Podman could not {_doing(container_id, command)}", details=said(exc)) from exc

    def _inspect_exec(self, exec_id: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self._connection.get(f"/exec/{exec_id}/json").json()
        return found

    def _post(self, path: str, body: dict[str, Any], **options: Any) -> Any:
        return self._connection.post(
            path, data=json.dumps(body), headers={"Content-Type": "application/json"}, **options
        )


def _doing(container_id: str, command: Sequence[str]) -> str:
    return f"run `{command[0]}` in container `{container_id[:12]}`"
