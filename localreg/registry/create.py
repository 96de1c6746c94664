"""A new container for a registry: created, started and awaited, or without a trace."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import replace

from localreg.engines.port import Engine
from localreg.engines.values import AnonymousMount, ContainerSpec, HostPathMount, Mount, VolumeMount
from localreg.errors import LocalregError, NameTakenError, PortTakenError, RegistryNotReadyError
from localreg.registry import container as container_of
from localreg.registry.configuration import environment_of
from localreg.registry.container import CONTAINER_PORT, DATA_FOLDER, Registry
from localreg.registry.defaults import DEFAULT_IMAGE, default_volume
from localreg.registry.image import ImageSource, RegistryImage, ensure_registry_image
from localreg.registry.options import RegistryOptions
from localreg.registry.port import choose_port, port_taken
from localreg.registry.request import Notify, OnProgress, UpRequest
from localreg.registry.start import await_registry, last_words
from localreg.system.address import Address


def ensure_image(engine: Engine, request: UpRequest, *, notify: Notify, on_progress: OnProgress) -> RegistryImage:
    """Make sure that the engine has the image that the registry is created from."""
    return ensure_registry_image(
        engine,
        image=request.asked.image or DEFAULT_IMAGE,
        archive=request.archive,
        pull=request.pull,
        on_progress=on_progress,
        notify=notify,
    )


def create_registry(
    engine: Engine,
    request: UpRequest,
    image: RegistryImage,
    *,
    asked: RegistryOptions,
    notify: Notify,
    replaced: Registry | None = None,
) -> Registry:
    """Create, start and await a container; on any failure nothing of it is left.

    Args:
        engine: Where it is to run.
        request: Its options.
        image: What it is created from.
        asked: What its label says was asked for.
        notify: Told which port was taken, and by whom.
        replaced: The registry whose place it takes.

    Raises:
        NameTakenError: a container of that name is there.
        PortTakenError: the port that was asked for is somebody else's.
        RegistryNotReadyError: it did not answer in time.
    """
    claims = request.claims
    environment = environment_of(replaced)
    with contextlib.ExitStack() as undo:
        mount = _mount(engine, request, undo, notify)
        while True:
            choice = choose_port(request.asked, claims, command=request.command)
            options = _effective(request, choice.address, mount, image)
            labels = container_of.labels_of(request.name, asked=asked, options=options)
            spec = _spec(request, choice.address, mount, image, labels, environment=environment)
            try:
                container = engine.create_container(spec)
            except NameTakenError:
                # Whoever took the name may be about to use the volume.
                undo.pop_all()
                raise
            removal = contextlib.ExitStack()
            removal.callback(_take_away, engine.remove_container, container.id, notify)
            with removal:
                try:
                    engine.start_container(container.id)
                except PortTakenError as exc:
                    # Somebody was faster, or holds it where this machine cannot see it.
                    claims = claims.with_taken(choice.address.port)
                    if request.asked.port is not None:
                        holder = claims.holder_of(choice.address)
                        raise port_taken(choice.address, holder, claims, command=request.command) from exc
                    continue
                if choice.note:
                    notify(choice.note)
                registry = Registry(engine.find_container(container.id) or container)
                _await(engine, registry, request, spec)
                removal.pop_all()
            undo.pop_all()
            return registry


def _await(engine: Engine, registry: Registry, request: UpRequest, spec: ContainerSpec) -> None:
    try:
        await_registry(engine, registry, seconds=request.wait_seconds)
    except RegistryNotReadyError as exc:
        if spec.remove_when_stopped and not exc.details:
            # Its log went with it.
            engine.remove_container(registry.container.id)
            exc.details = last_words(engine, replace(spec, remove_when_stopped=False))
        raise


def _take_away(remove: Callable[[str], None], name: str, notify: Notify) -> None:
    """Undo a step; why the start failed counts, also where this fails too."""
    try:
        remove(name)
    except LocalregError as exc:
        notify(f"left behind: {exc.message}")


def _mount(engine: Engine, request: UpRequest, undo: contextlib.ExitStack, notify: Notify) -> Mount:
    """Where the images go; a volume that had to be made is removed again when the start fails."""
    asked = request.asked
    if asked.ephemeral:
        return AnonymousMount(DATA_FOLDER)
    storage = asked.volume or default_volume(request.name)
    if storage.startswith("/"):
        return HostPathMount(storage, DATA_FOLDER)
    if engine.find_volume(storage) is None:
        engine.create_volume(storage, container_of.volume_labels(request.name))
        undo.callback(_take_away, engine.remove_volume, storage, notify)
    return VolumeMount(storage, DATA_FOLDER)


def _effective(request: UpRequest, address: Address, mount: Mount, image: RegistryImage) -> RegistryOptions:
    # One from an archive may be had from nowhere else when the container is to be replaced.
    loaded = image.reference if image.source is ImageSource.ARCHIVE else None
    return RegistryOptions(
        port=address.port,
        host=address.host,
        image=loaded or request.asked.image or DEFAULT_IMAGE,
        volume=container_of.storage_of(mount),
        ephemeral=isinstance(mount, AnonymousMount) or None,
    )


def _spec(
    request: UpRequest,
    address: Address,
    mount: Mount,
    image: RegistryImage,
    labels: Mapping[str, str],
    *,
    environment: Mapping[str, str],
) -> ContainerSpec:
    ephemeral = isinstance(mount, AnonymousMount)
    return ContainerSpec(
        name=request.name,
        image=image.reference,
        container_port=CONTAINER_PORT,
        publish=address,
        mount=mount,
        labels=labels,
        environment=environment,
        restart=not ephemeral,
        remove_when_stopped=ephemeral,
    )
