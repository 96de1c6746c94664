"""The running registry that a command works on."""

from __future__ import annotations

from localreg.engines.port import ContainerRuntime
from localreg.errors import ConflictError, RegistryUnreachableError
from localreg.registry.container import Registry, get_registry, seems_none, start_command
from localreg.registry.helper import find_helper
from localreg.system.command_line import CommandLine


def get_running_registry(engine: ContainerRuntime, name: str) -> Registry:
    """The running registry of that name, with a published port.

    Raises:
        ContainerNotFoundError: there is no container of that name.
        RegistryUnreachableError: it is not running.
        ConflictError: the container of that name publishes no port, or does not seem to be a registry.
    """
    registry = get_registry(engine, name)
    if not registry.seems_one and not _answers(registry):
        raise ConflictError(seems_none(registry), hint=CommandLine("--name", "OTHER", "up"))
    if not registry.container.is_running:
        if find_helper(engine, name) is not None:
            raise RegistryUnreachableError(
                f"registry `{name}` {registry.state_clause} for garbage collection", hint=CommandLine("up")
            )
        raise RegistryUnreachableError(
            f"registry `{name}` {registry.state_clause}",
            hint=start_command(registry, engine=engine.info().name),
        )
    registry.get_location()
    return registry


def _answers(registry: Registry) -> bool:
    """A registry answers in a container that does not tell; one that this machine cannot reach may do so."""
    if not registry.container.is_running:
        return False
    if registry.url is None:
        return True
    from localreg.oci.ping import Reply, ask  # noqa: PLC0415 -- only for a container that localreg did not create

    return ask(registry.url) is not Reply.NONE
