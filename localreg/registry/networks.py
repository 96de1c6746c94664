"""The networks that a registry's container was connected to, besides the one that the engine puts it in."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from localreg.engines.port import ContainerRuntime
from localreg.engines.values import Container
from localreg.errors import LocalregError
from localreg.registry.request import Notify

_USUAL = frozenset({"bridge", "podman", "pasta", "slirp4netns", "host", "none"})
"""The networks that engines put a container in by themselves; a new release may choose another."""


def is_usual(network: str) -> bool:
    """Whether it is a network that engines put a container in by themselves."""
    return network in _USUAL


def joined_networks(container: Container) -> tuple[str, ...]:
    """The networks that a container was connected to."""
    return tuple(name for name in container.networks if not is_usual(name))


def networks_of(
    engine: ContainerRuntime, replaced: Container | None, wanted: Sequence[str] | None, notify: Notify
) -> tuple[str, ...]:
    """The networks of a new container.

    Args:
        engine: The registry's engine.
        replaced: The container whose place it takes.
        wanted: The networks; None for those of the replaced container.
        notify: Told which of them does not exist any longer.
    """
    names = wanted
    if names is None:
        names = () if replaced is None else joined_networks(replaced)
    if not names:
        return ()
    existing = engine.list_networks()
    for name in names:
        if name not in existing:
            notify(f"network `{name}` no longer exists, so the new container is not in it")
    return tuple(name for name in names if name in existing)


def join_again(engine: ContainerRuntime, replaced: Container, new: Container) -> None:
    """Connect a container to the networks of the one that it replaced, as far as that works."""
    for name in joined_networks(replaced):
        if name not in new.networks:
            with contextlib.suppress(LocalregError):
                engine.connect_network(new.id, name)
