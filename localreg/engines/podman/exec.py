"""Commands in the containers of a Podman service."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, partial
from types import MappingProxyType
from typing import Any

import podman.errors

from localreg.engines.common.shells import SHELL, UPGRADE, OpenShell, Shells
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
        """Run a command in a running container; podman-py has no way to write to one."""
        doing = f"run `{command[0]}` in container `{container_id[:12]}`"
        with podman_errors(doing):
            output = self._shells.run(container_id, command)
        return _read(output, doing)

    def _open_shell(self, container_id: str) -> OpenShell:
        streams = {"AttachStdin": True, "AttachStdout": True, "AttachStderr": True}
        try:
            exec_id = self._post(f"/containers/{quoted(container_id)}/exec", {**streams, "Cmd": SHELL}).json()["Id"]
        except podman.errors.NotFound as exc:
            raise ContainerNotFoundError(f"Podman has no container `{container_id[:12]}`", details=said(exc)) from exc
        try:
            response = self._post(
                f"/exec/{exec_id}/start", {"Detach": False, "Tty": False}, headers=UPGRADE, stream=True
            )
        except podman.errors.APIError as exc:
            raise EngineError(
                f"Podman could not start a shell in container `{container_id[:12]}`", details=said(exc)
            ) from exc
        return OpenShell(response, inspect=partial(self._inspect_exec, exec_id))

    def _inspect_exec(self, exec_id: str) -> Mapping[str, Any] | None:
        try:
            found: Mapping[str, Any] = self._connection.get(f"/exec/{exec_id}/json").json()
        except podman.errors.APIError as exc:
            # The status is 500 if the container begins to run again at this moment.
            if "no such exec session" in " ".join(said(exc)):
                return None
            raise
        return found

    def _post(
        self, path: str, body: dict[str, Any], headers: Mapping[str, str] = MappingProxyType({}), **options: Any
    ) -> Any:
        return self._connection.post(
            path, data=json.dumps(body), headers={"Content-Type": "application/json", **headers}, **options
        )


def _read(output: Iterator[bytes], doing: str) -> Iterator[bytes]:
    with podman_errors(doing):
        yield from output
