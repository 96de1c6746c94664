"""The registry's container joins a network, or leaves it."""

from __future__ import annotations

from collections.abc import Sequence

from localreg.engines.discovery.probe import Answer
from localreg.engines.port import Engine
from localreg.errors import ConflictError, NotOursError
from localreg.registry.container import Registry, find_registry
from localreg.registry.defaults import default_volume
from localreg.registry.networks import joined_networks
from localreg.registry.port import PortClaims
from localreg.registry.replace import replace_registry
from localreg.registry.request import Notify, UpRequest
from localreg.system.command_line import CommandLine, Sentence


def join_network(
    engine: Engine, registry: Registry, network: str, *, answers: Sequence[Answer], notify: Notify
) -> Registry:
    """Connect the registry's container to a network; does nothing if it is in it.

    A rootless Podman only does so for a new container, which then replaces the old one. The images stay.

    Args:
        engine: The registry's.
        registry: Running.
        network: Its name.
        answers: What each engine on this machine answered, to know which ports are in use.
        notify: Gets notes for the user.

    Returns:
        The registry as it is afterwards.

    Raises:
        NotFoundError: the network does not exist.
        NotOursError: the container would have to be replaced, and localreg did not create it.
        ConflictError: the same, and it is ephemeral or stopped.
    """
    if network in registry.container.networks:
        return registry
    if engine.info().joins_networks_when_created:
        return _replace(engine, registry, (*joined_networks(registry.container), network), answers, notify)
    engine.connect_network(registry.container.id, network)
    return find_registry(engine, registry.container.id) or registry


def leave_network(
    engine: Engine, registry: Registry, network: str, *, answers: Sequence[Answer], notify: Notify
) -> Registry:
    """Disconnect the registry's container from a network; does nothing if it is not in it. As `join_network`."""
    if network not in registry.container.networks:
        return registry
    if engine.info().joins_networks_when_created:
        left = tuple(name for name in joined_networks(registry.container) if name != network)
        return _replace(engine, registry, left, answers, notify)
    engine.disconnect_network(registry.container.id, network)
    return find_registry(engine, registry.container.id) or registry


def _replace(
    engine: Engine, registry: Registry, networks: tuple[str, ...], answers: Sequence[Answer], notify: Notify
) -> Registry:
    name = registry.container.name
    if not registry.is_ours:
        raise NotOursError(
            f"rootless Podman cannot change the networks of container `{name}`, which localreg did not create",
            hint=Sentence(f"create it again with `--network {' --network '.join(networks or ('pasta',))}`"),
        )
    if registry.container.removes_itself:
        raise ConflictError(
            f"rootless Podman would have to replace the container of registry `{name}`, which is ephemeral: "
            "that would delete its images",
            hint=CommandLine("up", "--recreate", "--volume", default_volume(name)),
        )
    if not registry.container.is_running:
        raise ConflictError(
            f"rootless Podman changes the networks of registry `{name}` only while it runs", hint=CommandLine("up")
        )
    notify("rootless Podman only connects new containers, so the registry's container is replaced; the images stay")
    claims = PortClaims.of(answers, name=name, remote=engine.info().remote)
    # This opens nothing that was not open.
    request = UpRequest(name, recreate=True, networks=networks, claims=claims, insecure_exposure=True)
    return replace_registry(engine, registry, request, notify=notify, on_progress=lambda _: None)
