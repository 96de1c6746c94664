"""Replacing a registry's container and keeping its data: the old one is renamed until the new one is ready.

If the start fails, the old container gets its name back. If localreg is killed in between, `recover` does that later.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace

from localreg.engines.port import ContainerRuntime, Engine
from localreg.errors import LocalregError
from localreg.registry.container import Registry, find_registry, replaced_name
from localreg.registry.create import create_registry, ensure_image
from localreg.registry.exposure import check_exposure
from localreg.registry.networks import join_again
from localreg.registry.port import choose_port
from localreg.registry.request import Notify, OnProgress, UpRequest
from localreg.registry.users import check_can_have_users


def replace_registry(
    engine: Engine, registry: Registry, request: UpRequest, *, notify: Notify, on_progress: OnProgress
) -> Registry:
    """Replace a registry's container; the data, the secret, the networks and all options that are not given now stay.

    Raises:
        PortTakenError: the new port is in use; the old container keeps running.
        RegistryNotReadyError: the new container was not ready in time; the old one runs again.
    """
    options = request.asked.over(registry.options)
    if request.asked.volume is not None:
        options = replace(options, ephemeral=None)
    if request.asked.ephemeral:
        options = replace(options, volume=None)
    if request.asked.tls is False:
        options = replace(options, san=None)
    check_exposure(options, asked=request.asked, command=request.command, allowed=request.insecure_exposure)
    check_can_have_users(options)
    # The image comes first: a slow failure must happen while the old container still serves.
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
    """Keep the old container under another name until the new one is ready."""
    old = registry.container
    if old.removes_itself:
        engine.remove_container(old.id)
        notify("the registry was ephemeral: its images are deleted")
        yield
        return
    engine.rename_container(old.id, replaced_name(old.name))
    try:
        engine.stop_container(old.id)
        yield
    except BaseException:
        # A second failure must not hide the first.
        with contextlib.suppress(LocalregError):
            engine.rename_container(old.id, old.name)
            if old.is_running:
                engine.start_container(old.id)
        raise
    engine.remove_container(old.id)


def recover(engine: ContainerRuntime, name: str) -> None:
    """Finish a replacement that was killed: restore the old container, or remove it if there is a new one."""
    left = find_registry(engine, replaced_name(name))
    if left is None or not left.is_ours:
        return
    new = find_registry(engine, name)
    if new is None:
        engine.rename_container(left.container.id, name)
    else:
        join_again(engine, left.container, new.container)
        engine.remove_container(left.container.id)
