"""What is done first: finishing what a command that was killed left half done."""

from __future__ import annotations

from localreg.engines.port import ContainerRuntime
from localreg.registry.container import find_registry, replaced_name


def recover(engine: ContainerRuntime, name: str) -> None:
    """Clear up after a replacement that was killed: the old container is put back, or goes where there is a new one."""
    left = find_registry(engine, replaced_name(name))
    if left is None or not left.is_ours:
        return
    if find_registry(engine, name) is None:
        engine.rename_container(left.container.id, name)
    else:
        engine.remove_container(left.container.id)
