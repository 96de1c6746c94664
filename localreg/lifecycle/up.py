"""Starting a registry: idempotent, on a port that is free, done when it answers, without a trace when it fails."""

from __future__ import annotations

import contextlib
import shlex
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from localreg import registry_container as container_of
from localreg.engines.base import (
    Address,
    AnonymousMount,
    Container,
    ContainerSpec,
    ContainerState,
    Engine,
    HostPathMount,
    Mount,
    Progress,
    VolumeMount,
)
from localreg.errors import (
    ConflictError,
    NameTakenError,
    NotOursError,
    OptionsDifferError,
    PortTakenError,
    RegistryNotReadyError,
)
from localreg.lifecycle.port_choice import PortClaims, choose_port
from localreg.lifecycle.readiness import wait_until
from localreg.lifecycle.startup import LogTail, await_registry
from localreg.registry_container import CONTAINER_PORT, DATA_FOLDER, Registry, RegistryOptions, default_volume
from localreg.registry_image import DEFAULT_IMAGE, ImageSource, PullPolicy, RegistryImage, ensure_registry_image

Notify = Callable[[str], None]
OnProgress = Callable[[Progress], None]

_RIVAL_SECONDS = 5.0
_FORWARDER_SECONDS = 1.0
_FOREIGN_SECONDS = 5.0
"""How long a container that somebody else started may take to show that it is a registry."""

_ENVIRONMENT = {
    "REGISTRY_STORAGE_DELETE_ENABLED": "true",
    # Relative locations keep uploads working through a forwarded port or a proxy.
    "REGISTRY_HTTP_RELATIVEURLS": "true",
}


class UpAction(StrEnum):
    """What `up` did."""

    CREATED = "created"
    RECREATED = "recreated"
    STARTED = "started"
    ALREADY = "already up"
    ADOPTED = "not ours"


@dataclass(frozen=True, slots=True)
class UpRequest:
    """What `up` was asked for."""

    name: str
    asked: RegistryOptions = field(default_factory=RegistryOptions)
    archive: Path | None = None
    pull: PullPolicy = PullPolicy.MISSING
    wait_seconds: float = 30.0
    recreate: bool = False
    claims: PortClaims = field(default_factory=PortClaims)


@dataclass(frozen=True, slots=True)
class UpResult:
    """A registry that answers."""

    registry: Registry
    action: UpAction
    seconds: float
    ignored: tuple[str, ...] = ()
    """Options that were asked for and do not apply to a registry that is there already."""


def bring_up(engine: Engine, request: UpRequest, *, notify: Notify, on_progress: OnProgress) -> UpResult:
    """Start the registry if it does not run, and wait until it answers.

    Args:
        engine: Where it runs, or will.
        request: What was asked for.
        notify: Told in a sentence what the user should know on the way.
        on_progress: Told each step of pulling the registry's image.

    Raises:
        OptionsDifferError: it exists with other options than those asked for.
        NameTakenError: a container of that name is something else, or a registry of somebody else's that is stopped.
        PortTakenError: the port that was asked for, or that the registry has, is somebody else's.
        RegistryNotReadyError: it did not answer in time; what was made for it is removed again.
    """
    began = time.monotonic()
    registry = container_of.find_registry(engine, request.name)
    if registry is None:
        try:
            created = _create(engine, request, notify=notify, on_progress=on_progress)
        except NameTakenError:
            # Another `up` was faster: what it makes is what was wanted.
            registry = _find_rival(engine, request.name)
            if registry is None:
                raise
        else:
            return UpResult(created, UpAction.CREATED, time.monotonic() - began)
    if not registry.is_ours:
        return _adopt(engine, registry, request)
    if request.recreate:
        recreated = _recreate(engine, registry, request, notify=notify, on_progress=on_progress)
        return UpResult(recreated, UpAction.RECREATED, time.monotonic() - began)
    _refuse_other_options(registry, request)
    action = UpAction.ALREADY if registry.container.is_running else UpAction.STARTED
    _start(engine, registry, request)
    seconds = time.monotonic() - began
    return UpResult(_found_again(engine, registry), action, seconds, _image_options(request))


def _find_rival(engine: Engine, name: str) -> Registry | None:
    """The container that took the name; Docker reserves a name a moment before it shows the container."""
    found: list[Registry] = []

    def is_there() -> bool:
        found.extend(filter(None, [container_of.find_registry(engine, name)]))
        return bool(found)

    wait_until(is_there, seconds=_RIVAL_SECONDS, is_alive=lambda: True)
    return found[0] if found else None


def _adopt(engine: Engine, registry: Registry, request: UpRequest) -> UpResult:
    """Use a registry that the user started by hand as it is."""
    container = registry.container
    other = "localreg --name OTHER up"
    if not container.is_running:
        raise NameTakenError(
            f"container `{container.name}` is there, {container.state}, and localreg did not create it", hint=other
        )
    if registry.published is None:
        raise NameTakenError(f"container `{container.name}` is no registry: it publishes no port", hint=other)
    if request.recreate:
        raise NotOursError(
            f"localreg did not create container `{container.name}` and does not recreate it",
            hint=f"localreg --name {container.name} down --force",
        )
    try:
        await_registry(engine, registry, seconds=min(request.wait_seconds, _FOREIGN_SECONDS))
    except RegistryNotReadyError as exc:
        raise NameTakenError(
            f"container `{container.name}` is there, and what it publishes is no registry", hint=other
        ) from exc
    ignored = (*request.asked.differing(RegistryOptions()), *_image_options(request))
    return UpResult(registry, UpAction.ADOPTED, 0.0, ignored)


def _image_options(request: UpRequest) -> tuple[str, ...]:
    """What says where the image of a new container comes from."""
    given = {"image-archive": request.archive is not None, "pull": request.pull is PullPolicy.ALWAYS}
    return tuple(option for option, is_given in given.items() if is_given)


def _refuse_other_options(registry: Registry, request: UpRequest) -> None:
    options = registry.options
    differing = request.asked.differing(options)
    if not differing:
        return
    raise OptionsDifferError(
        f"registry `{request.name}` exists with other options",
        hint=f"{container_of.up_command(request.name)} --recreate {_typed(request.asked)}",
        details=[
            f"--{name}  asked for {_shown(getattr(request.asked, name))}, is {_shown(getattr(options, name))}"
            for name in differing
        ],
    )


def _typed(options: RegistryOptions) -> str:
    """Options as they are typed."""
    asked = options.differing(RegistryOptions())
    return " ".join(
        f"--{name}" if getattr(options, name) is True else f"--{name} {shlex.quote(str(getattr(options, name)))}"
        for name in asked
    )


def _shown(value: object) -> str:
    return "none" if value is None else f"`{value}`"


def _start(engine: Engine, registry: Registry, request: UpRequest) -> None:
    """Start an existing container and wait; one that was stopped is stopped again when it does not answer."""
    container = registry.container
    if container.state is ContainerState.PAUSED:
        raise ConflictError(
            f"registry `{container.name}` is paused", hint=f"{engine.info().name} unpause {container.name}"
        )
    if container.is_running:
        await_registry(engine, registry, seconds=request.wait_seconds)
        return
    address = Address(registry.options.host or "127.0.0.1", registry.options.port or CONTAINER_PORT)
    # The helper that forwarded the port for Podman may take a moment to go after the container stopped.
    wait_until(lambda: request.claims.find_holder(address) is None, seconds=_FORWARDER_SECONDS, is_alive=lambda: True)
    try:
        engine.start_container(container.id)
    except PortTakenError as exc:
        free = request.claims.next_free(address).port
        raise PortTakenError(
            f"port {address.port} of registry `{container.name}` is taken by {request.claims.holder_of(address)}",
            hint=f"{container_of.up_command(container.name)} --recreate --port {free}",
            details=exc.details,
        ) from exc
    try:
        await_registry(engine, _found_again(engine, registry), seconds=request.wait_seconds)
    except BaseException:
        engine.stop_container(container.id)
        raise


def _found_again(engine: Engine, registry: Registry) -> Registry:
    """As the engine describes it now: an address exists only while a container runs."""
    return container_of.find_registry(engine, registry.container.id) or registry


def _recreate(
    engine: Engine, registry: Registry, request: UpRequest, *, notify: Notify, on_progress: OnProgress
) -> Registry:
    """Replace the container; the data stays, and so does the port unless another was asked for."""
    options = request.asked.over(registry.options)
    if request.asked.volume is not None:
        options = replace(options, ephemeral=None)
    if request.asked.ephemeral:
        options = replace(options, volume=None)
    # The image is made sure of first: what can fail for long fails while the old container still serves.
    image = _image(engine, replace(request, asked=options), notify=notify, on_progress=on_progress)
    if request.asked.port not in (None, registry.options.port):
        choose_port(request.asked, request.claims, command=container_of.up_command(request.name))
    if registry.options.ephemeral:
        notify("the registry was one that keeps nothing: its images are gone")
    engine.stop_container(registry.container.id)
    engine.remove_container(registry.container.id)
    asked = request.asked.over(registry.asked)
    return _create_from(engine, replace(request, asked=options), image, asked=asked, notify=notify)


def _create(engine: Engine, request: UpRequest, *, notify: Notify, on_progress: OnProgress) -> Registry:
    # Before anything is pulled: a port that is taken is known at once.
    choose_port(request.asked, request.claims, command=container_of.up_command(request.name))
    image = _image(engine, request, notify=notify, on_progress=on_progress)
    return _create_from(engine, request, image, asked=request.asked, notify=notify)


def _image(engine: Engine, request: UpRequest, *, notify: Notify, on_progress: OnProgress) -> RegistryImage:
    return ensure_registry_image(
        engine,
        image=request.asked.image or DEFAULT_IMAGE,
        archive=request.archive,
        pull=request.pull,
        on_progress=on_progress,
        notify=notify,
    )


def _create_from(
    engine: Engine, request: UpRequest, image: RegistryImage, *, asked: RegistryOptions, notify: Notify
) -> Registry:
    """Create, start and await a container; on any failure nothing of it is left."""
    claims = request.claims
    with contextlib.ExitStack() as undo:
        mount = _mount(engine, request, undo)
        while True:
            choice = choose_port(request.asked, claims, command=container_of.up_command(request.name))
            options = _effective(request, choice.address, mount, image)
            labels = container_of.labels_of(request.name, asked=asked, options=options)
            try:
                container = engine.create_container(_spec(request, choice.address, mount, image, labels))
            except NameTakenError:
                # Whoever took the name may be about to use the volume.
                undo.pop_all()
                raise
            removal = contextlib.ExitStack()
            removal.callback(engine.remove_container, container.id)
            with removal:
                try:
                    engine.start_container(container.id)
                except PortTakenError:
                    # Somebody was faster, or holds it where this machine cannot see it.
                    if request.asked.port is not None:
                        raise
                    claims = claims.with_taken(choice.address.port)
                    continue
                if choice.note:
                    notify(choice.note)
                registry = _awaited(engine, container, request)
                removal.pop_all()
            undo.pop_all()
            return registry


def _awaited(engine: Engine, container: Container, request: UpRequest) -> Registry:
    tail = LogTail(engine, container.id) if request.asked.ephemeral else None
    registry = Registry(engine.find_container(container.id) or container)
    await_registry(engine, registry, seconds=request.wait_seconds, tail=tail)
    return registry


def _effective(request: UpRequest, address: Address, mount: Mount, image: RegistryImage) -> RegistryOptions:
    # One from an archive may be had from nowhere else when the container is to be replaced.
    loaded = image.reference if image.source is ImageSource.ARCHIVE else None
    return RegistryOptions(
        port=address.port,
        host=address.host,
        image=loaded or request.asked.image or DEFAULT_IMAGE,
        volume=_storage(mount),
        ephemeral=isinstance(mount, AnonymousMount) or None,
    )


def _storage(mount: Mount) -> str | None:
    match mount:
        case VolumeMount(volume=volume):
            return volume
        case HostPathMount(path=path):
            return path
        case AnonymousMount():
            return None


def _spec(
    request: UpRequest, address: Address, mount: Mount, image: RegistryImage, labels: Mapping[str, str]
) -> ContainerSpec:
    ephemeral = isinstance(mount, AnonymousMount)
    return ContainerSpec(
        name=request.name,
        image=image.reference,
        container_port=CONTAINER_PORT,
        publish=address,
        mount=mount,
        labels=labels,
        environment=_ENVIRONMENT,
        restart=not ephemeral,
        remove_when_stopped=ephemeral,
    )


def _mount(engine: Engine, request: UpRequest, undo: contextlib.ExitStack) -> Mount:
    """Where the images go; a volume that had to be made is removed again when the start fails."""
    asked = request.asked
    if asked.ephemeral:
        return AnonymousMount(DATA_FOLDER)
    storage = asked.volume or default_volume(request.name)
    if storage.startswith("/"):
        return HostPathMount(storage, DATA_FOLDER)
    if engine.find_volume(storage) is None:
        engine.create_volume(storage, container_of.volume_labels(request.name))
        undo.callback(engine.remove_volume, storage)
    return VolumeMount(storage, DATA_FOLDER)
