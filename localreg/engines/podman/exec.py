"""Commands in the containers of a Podman service."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from typing import Any

import podman.errors

from localreg.engines.common.command_output import CHUNK, iter_output
from localreg.engines.podman.connection import Connection, podman_errors, quoted, said
from localreg.errors import ContainerNotFoundError, EngineError


class PodmanExec:
    """Podman's `exec`."""

    _connection: Connection
    """Set by the engine's class, which inherits from this one."""

    def run_in_container(self, container_id: str, command: Sequence[str]) -> Iterator[bytes]:
        """Run a command in a running container; podman-py keeps the whole output in memory."""
        doing = f"run `{command[0]}` in container `{container_id[:12]}`"
        with podman_errors(doing):
            try:
                exec_id = self._post(
                    f"/containers/{quoted(container_id)}/exec",
                    {"AttachStdout": True, "AttachStderr": True, "Cmd": list(command)},
                ).json()["Id"]
            except podman.errors.NotFound as exc:
                raise ContainerNotFoundError(
                    f"Podman has no container `{container_id[:12]}`", details=said(exc)
                ) from exc
            try:
                response = self._post(f"/exec/{exec_id}/start", {"Detach": False, "Tty": False}, stream=True)
            except podman.errors.APIError as exc:
                raise EngineError(f"Podman could not {doing}", details=said(exc)) from exc
            with contextlib.closing(response):
                yield from iter_output(
                    response.iter_content(CHUNK), inspect=lambda: self._connection.get(f"/exec/{exec_id}/json").json()
                )

    def _post(self, path: str, body: dict[str, Any], **options: Any) -> Any:
        return self._connection.post(
            path, data=json.dumps(body), headers={"Content-Type": "application/json"}, **options
        )
