"""Waiting until a started registry is ready; an error shows the end of its log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from localreg.engines.port import ContainerRuntime
from localreg.engines.values import Container, ContainerSpec, ContainerState
from localreg.errors import LocalregError, RegistryNotReadyError
from localreg.oci.ping import Reply, ask
from localreg.registry.container import Registry, seems_none
from localreg.registry.defaults import DEFAULT_IMAGE
from localreg.registry.distribution_log import find_last_cause, is_distributions, is_listening
from localreg.registry.log_start import log_began_at
from localreg.system.command_line import CommandLine
from localreg.system.waiting import wait_until

_LOG_LINES = 10
_CAUSE_LINES = 50
"""The number of last lines in which the cause of a failure is searched."""
_END_SECONDS = 5.0
_START_SECONDS = 5.0
"""How long a registry that has just been started may take to answer."""


def await_registry(engine: ContainerRuntime, registry: Registry, *, seconds: float) -> None:
    """Wait until the registry in a started container is ready.

    Args:
        engine: The registry's engine.
        registry: As the engine describes it after the start.
        seconds: The longest wait.

    Raises:
        RegistryNotReadyError: it stopped, or was not ready in time; with the last lines of its log.
        RegistryUnreachableError: it speaks TLS.
    """
    container = registry.container
    now: Container | None = container

    def answers() -> bool:
        if registry.url is not None:
            return _is_ready(registry.url)
        # This machine cannot reach the loopback of a remote engine: there the registry's log must do.
        return registry.published is not None and is_listening(
            read_log(engine, container.id, since=log_began_at(container))
        )

    def is_alive() -> bool:
        nonlocal now
        now = engine.find_container(container.id)
        return _runs_since_then(container, now)

    if wait_until(answers, seconds=seconds, is_alive=is_alive):
        return
    log = read_log(engine, container.id)
    seems_one = registry.has_registrys_image or is_distributions(log)
    raise _not_ready(container, now, seconds, last_lines(log), seems_one=seems_one)


def _is_ready(url: str) -> bool:
    reply = ask(url)
    if reply is Reply.SPEAKS_TLS:
        from localreg.oci.answer import speaks_tls  # noqa: PLC0415 -- loads urllib3, only for this error

        raise speaks_tls(url)
    return reply.is_ready


def await_start(registry: Registry) -> None:
    """Wait a moment for a registry that its engine, or the user, has just started; others cost nothing."""
    url, started = registry.url, registry.container.started_at
    if url is None or started is None or abs((datetime.now(UTC) - started).total_seconds()) > _START_SECONDS:
        return
    # One that speaks TLS has begun to answer: the command that asks it next says what is wrong.
    wait_until(lambda: ask(url) is not Reply.NONE, seconds=_START_SECONDS)


def _runs_since_then(container: Container, now: Container | None) -> bool:
    """It has been running since then; a restart by the engine counts as a stop."""
    return now is not None and now.state is ContainerState.RUNNING and now.started_at == container.started_at


def _not_ready(
    container: Container, now: Container | None, seconds: float, lines: Sequence[str], *, seems_one: bool
) -> RegistryNotReadyError:
    if _runs_since_then(container, now):
        if not seems_one:
            return RegistryNotReadyError(
                f"{seems_none(Registry(container))}, which did not answer within {seconds:g} seconds",
                hint=CommandLine("up", "--image", DEFAULT_IMAGE),
                details=lines,
            )
        return RegistryNotReadyError(
            f"registry `{container.name}` is running but was not ready within {seconds:g} seconds",
            hint=CommandLine("up", "--wait", str(max(60, round(seconds * 2)))),
            details=lines,
        )
    code = "" if now is None or now.exit_code is None else f" with exit code {now.exit_code}"
    return RegistryNotReadyError(
        f"registry `{container.name}` stopped{code} before it was ready",
        details=lines,
    )


def read_last_lines(engine: ContainerRuntime, container_id: str) -> list[str]:
    """The last lines of a container's log; empty if it cannot be read."""
    return last_lines(read_log(engine, container_id, tail=_LOG_LINES))


def read_log(
    engine: ContainerRuntime, container_id: str, *, tail: int | None = None, since: datetime | None = None
) -> bytes:
    """A part of a container's log; empty if it cannot be read.

    Args:
        engine: The container's engine.
        container_id: Name or ID.
        tail: Only this many last lines.
        since: Aware; only lines written at or after this time.
    """
    try:
        return b"".join(chunk.data for chunk in engine.read_logs(container_id, tail=tail, since=since))
    except LocalregError:
        return b""


def last_words(
    engine: ContainerRuntime, spec: ContainerSpec, *, prepare: Callable[[Container], None]
) -> tuple[str, ...]:
    """The log of a container that removed itself at once: an equal one that stays is started to read its log.

    Args:
        engine: The container's engine.
        spec: The container's, but without its own removal.
        prepare: Makes a created container ready for its start.
    """
    wait_until(lambda: engine.find_container(spec.name) is None, seconds=_END_SECONDS)
    try:
        container = engine.create_container(spec)
        try:
            prepare(container)
            engine.start_container(container.id)
            wait_until(lambda: _has_ended(engine, container), seconds=_END_SECONDS)
            return tuple(read_last_lines(engine, container.id))
        finally:
            engine.remove_container(container.id)
    except LocalregError:
        # The original error matters, not this one.
        return ()


def _has_ended(engine: ContainerRuntime, container: Container) -> bool:
    now = engine.find_container(container.id)
    return now is None or not now.is_running


def find_cause(engine: ContainerRuntime, registry: Registry, *, since: datetime) -> str | None:
    """The cause of the last `500` that a registry answered, from its log.

    Args:
        engine: The registry's engine.
        registry: The registry that failed.
        since: Aware; older lines have another cause.
    """
    return find_last_cause(read_log(engine, registry.container.id, tail=_CAUSE_LINES, since=since))


def last_lines(log: bytes) -> list[str]:
    """The last lines of a log as text, whatever bytes are in it."""
    return log.decode(errors="backslashreplace").splitlines()[-_LOG_LINES:]
