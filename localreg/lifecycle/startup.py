"""From a started container to a registry that answers, or to an error that shows what its log says."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Sequence

from localreg.engines.base import Container, ContainerRuntime, ContainerState
from localreg.errors import LocalregError, RegistryNotReadyError
from localreg.lifecycle.readiness import is_ready, wait_until
from localreg.registry_container import Registry, up_command

_LOG_LINES = 10
_JOIN_SECONDS = 2.0


class LogTail:
    """The last lines of a container's log, read while it runs: the engine removes the log with the container."""

    def __init__(self, engine: ContainerRuntime, container_id: str) -> None:
        self._chunks: deque[bytes] = deque(maxlen=200)
        self._thread = threading.Thread(target=self._read, args=(engine, container_id), daemon=True)
        self._thread.start()

    def _read(self, engine: ContainerRuntime, container_id: str) -> None:
        # What goes wrong here only shortens the log that an error could have shown.
        with contextlib.suppress(LocalregError):
            for chunk in engine.read_logs(container_id, follow=True):
                self._chunks.append(chunk.data)

    def lines(self) -> list[str]:
        """What was read so far; waits a moment for a log that is just ending."""
        self._thread.join(_JOIN_SECONDS)
        return last_lines(b"".join(self._chunks))


def await_registry(
    engine: ContainerRuntime, registry: Registry, *, seconds: float, tail: LogTail | None = None
) -> None:
    """Wait until the registry of a started container answers.

    Args:
        engine: Where the container runs.
        registry: As the engine describes it after the start.
        seconds: How long at most.
        tail: Its log, where the engine will not have it any more when the container has stopped.

    Raises:
        RegistryNotReadyError: it stopped, or did not answer in time; with the last lines of its log.
    """
    container = registry.container
    published = registry.published

    def answers() -> bool:
        if published is None:
            return False
        if published.from_host is None:
            # A remote engine's loopback cannot be asked from here: its own word has to do.
            return any("listening on" in line for line in read_last_lines(engine, container.id))
        return is_ready(f"http://{published.from_host}")

    def is_alive() -> bool:
        now = engine.find_container(container.id)
        return now is not None and now.state is ContainerState.RUNNING

    if wait_until(answers, seconds=seconds, is_alive=is_alive):
        return
    now = engine.find_container(container.id)
    lines = tail.lines() if tail is not None else read_last_lines(engine, container.id)
    raise _not_ready(container, now, seconds, lines)


def _not_ready(
    container: Container, now: Container | None, seconds: float, lines: Sequence[str]
) -> RegistryNotReadyError:
    if now is not None and now.state is ContainerState.RUNNING:
        return RegistryNotReadyError(
            f"registry `{container.name}` runs but did not answer within {seconds:g} seconds",
            hint=f"{up_command(container.name)} --wait {max(60, round(seconds * 2))}",
            details=lines,
        )
    code = "" if now is None or now.exit_code is None else f" with exit code {now.exit_code}"
    return RegistryNotReadyError(
        f"registry `{container.name}` stopped{code} instead of answering",
        details=lines,
    )


def read_last_lines(engine: ContainerRuntime, container_id: str) -> list[str]:
    """The last lines of a container's log; none where it cannot be read any more."""
    try:
        chunks = engine.read_logs(container_id, tail=_LOG_LINES)
        return last_lines(b"".join(chunk.data for chunk in chunks))
    except LocalregError:
        return []


def last_lines(log: bytes) -> list[str]:
    """The last lines of a log as text, whatever bytes are in it."""
    return log.decode(errors="backslashreplace").splitlines()[-_LOG_LINES:]
