"""Another container for a registry, with its data: the old one waits aside until the new one answers.

A start that fails gives the old one its name back. A kill in between leaves it aside, where `recover` finds it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace

from localreg.engines.port import ContainerRuntime, Engine
from localreg.errors import LocalregError
from localreg.registry.container import Registry, find_registry, replaced_name
from localreg.registry.create import create_registry, ensure_image
from localreg.registry.port import choose_port
from localreg.registry.request import Notify, OnProgress, UpRequest


def replace_registry(
    engine: Engine, registry: Registry, request: UpRequest, *, notify: Notify, on_progress: OnProgress
) -> Registry:
    """Replace a registry's container; the data, the secret and every option that was not asked for anew stay.

    Raises:
        PortTakenError: the new port is somebody else's; the old container goes on.
        RegistryNotReadyError: the new container did not answer in time; the old one runs again.
    """
    options = request.asked.over(registry.options)
    if request.asked.volume is not None:
        options = replace(options, ephemeral=None)
    if request.asked.ephemeral:
        options = replace(options, volume=None)
    # The image is made sure of first: what can fail for long fails while the old container still serves.
    image = ensure_image(engine, replace(request, asked=options), notify=notify, on_progress=on_progress)
    if request.asked.port not in (None, registry.options.port):
        choose_port(request.asked, request.claims, command=request.command)
    asked = request.asked.over(registry.asked)
    with _aside(engine, registry, notify):
        return create_registry(
            engine, replace(request, asked=options), image, asked=asked, notify=notify, replaced=registry
        )


@contextlib.contextmanager
def _aside(engine: Engine, registry: Registry, notify: Notify) -> Iterator[None]:
    """Keep the old container out of the way, under another name, until the new one is there."""
    old = registry.container
    if old.removes_itself:
        engine.remove_container(old.id)
        notify("the registry was one that keeps nothing: its images are gone")
        yield
        return
    engine.rename_container(old.id, replaced_name(old.name))
    try:
        engine.stop_container(old.id)
        yield
    except BaseException:
        # What goes wrong here must not hide what went wrong before.
        with contextlib.suppress(LocalregError):
            engine.rename_container(old.id, old.name)
            if old.is_running:
                engine.start_container(old.id)
        raise
    engine.remove_container(old.id)


def recover(engine: ContainerRuntime, name: str) -> None:
    """Clear up after a replacement that was killed: the old container is put back, or goes where there is a new one."""
    left = find_registry(engine, replaced_name(name))
    if left is None or not left.is_ours:
        return
    if find_registry(engine, name) is None:
        engine.rename_container(left.container.id, name)
    else:
        engine.remove_container(left.container.id)
