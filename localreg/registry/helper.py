"""A second container over a registry's storage, for garbage collection while the registry is stopped or has no shell.

As long as it exists, it also tells that garbage collection stopped the registry.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from localreg.engines.port import ContainerRuntime, Engine
from localreg.engines.values import Container, ContainerSpec
from localreg.errors import EngineError, EngineLostError, LocalregError
from localreg.registry.container import HELPER_LABEL, Registry
from localreg.registry.defaults import DEFAULT_IMAGE

_HOURS = 6
"""How long a helper of a localreg that was killed may run; then it removes itself."""
_SLEEP = f"command -v sleep >/dev/null || exec busybox sleep {_HOURS * 3600}; exec sleep {_HOURS * 3600}"


def find_helper(engine: ContainerRuntime, name: str) -> Container | None:
    """The helper of the registry of this name: one is at work, or was killed."""
    found = engine.find_container(_name_of(name))
    return found if found is not None and HELPER_LABEL in found.labels else None


def remove_helper(engine: ContainerRuntime, name: str) -> bool:
    """Remove the helper that a killed localreg left; returns whether there was one."""
    found = find_helper(engine, name)
    if found is not None:
        engine.remove_container(found.id)
    return found is not None


@contextlib.contextmanager
def helper(engine: Engine, registry: Registry, *, with_shell: bool) -> Iterator[Container]:
    """Create a container with the registry's mounts; it is removed at the end.

    Args:
        engine: The registry's engine.
        registry: Running or not.
        with_shell: Start it: its shell is used. Otherwise it is only a mark.

    Raises:
        EngineError: neither the registry's image nor the usual one has a shell.
    """
    name = registry.container.name
    remove_helper(engine, name)
    created = _create(engine, registry, with_shell=with_shell)
    try:
        yield created
    finally:
        # The next command that looks for one removes it.
        with contextlib.suppress(LocalregError):
            engine.remove_container(created.id)


def has_shell(engine: ContainerRuntime, container: Container) -> bool:
    """There is a shell in a running container.

    Raises:
        EngineLostError: the engine stopped responding.
    """
    try:
        for _ in engine.run_in_container(container.id, [":"]):
            pass
    except EngineLostError:
        raise
    except EngineError:
        return False
    return True


def _name_of(name: str) -> str:
    return f"{name}.gc"


def _create(engine: Engine, registry: Registry, *, with_shell: bool) -> Container:
    from localreg.registry.image import find_usual_image  # noqa: PLC0415 -- most commands only look for a helper

    container = registry.container
    usual = find_usual_image(engine) if with_shell else None
    for image in filter(None, (container.image_id, usual)):
        created = engine.create_container(
            ContainerSpec(
                name=_name_of(container.name),
                image=image,
                labels={HELPER_LABEL: container.name},
                volumes_from=container.id,
                command=("sh", "-c", _SLEEP),
                remove_when_stopped=True,
                # What it moves and puts back must be the registry's. An image may not know another's name of a user.
                user=container.user if image == container.image_id or container.user[:1].isdigit() else "",
            )
        )
        if not with_shell or _runs(engine, created):
            return created
    raise EngineError(
        f"cannot read the storage of registry `{container.name}`: its image has no shell, and the engine does not have "
        f"{DEFAULT_IMAGE}",
        hint=f"{engine.info().name} pull {DEFAULT_IMAGE}",
    )


def _runs(engine: Engine, created: Container) -> bool:
    """It was started and has a shell; otherwise it is removed."""
    try:
        engine.start_container(created.id)
        if has_shell(engine, created):
            return True
    except EngineLostError:
        raise
    except EngineError:
        # The engine cannot start a program that the image does not have.
        pass
    except BaseException:
        engine.remove_container(created.id)
        raise
    engine.remove_container(created.id)
    return False
