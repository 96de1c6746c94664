"""A new container for a registry: created, started and ready, or removed again."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from localreg.engines.common.messages import PORT_NEEDS_ROOT
from localreg.engines.port import Engine
from localreg.engines.values import AnonymousMount, Container, ContainerSpec, HostPathMount, Mount, VolumeMount
from localreg.errors import EngineError, LocalregError, NameTakenError, PortTakenError, RegistryNotReadyError
from localreg.registry.configuration import environment_of
from localreg.registry.container import CONTAINER_PORT, DATA_FOLDER, Registry, labels_of, storage_of, volume_labels
from localreg.registry.defaults import DEFAULT_IMAGE, DEFAULT_NAME, DEFAULT_PORT, default_volume
from localreg.registry.image import ImageSource, RegistryImage, ensure_registry_image
from localreg.registry.networks import networks_of
from localreg.registry.options import RegistryOptions
from localreg.registry.port import choose_port, port_taken
from localreg.registry.request import Notify, OnProgress, UpRequest
from localreg.registry.start import await_registry, last_words
from localreg.registry.tls import FOLDER, ServerTls, lost_tls
from localreg.registry.users import ENVIRONMENT as USERS
from localreg.registry.users import find_users
from localreg.system.address import Address
from localreg.system.command_line import CommandLine


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
    """Create a container, start it and wait until it is ready; a failure leaves nothing behind.

    Args:
        engine: The engine that runs it.
        request: Its options.
        image: The image to create it from.
        asked: The options that were asked for, for its label.
        notify: Told which port was taken, and by which process.
        replaced: The registry whose place it takes.

    Raises:
        NameTakenError: a container of that name exists.
        PortTakenError: the port that was asked for is taken.
        EngineError: only root may use the port.
        RegistryNotReadyError: it was not ready in time.
    """
    claims, environment = request.claims, environment_of(request.asked, replaced)
    old = None if replaced is None else replaced.container
    networks = networks_of(engine, old, request.networks, notify)
    with _storage(engine, request, notify) as (mount, was_there):
        # Without a word, it would not be seen that images which required a login are open now.
        had_users = was_there and replaced is None and request.asked.auth is None
        while True:
            choice = choose_port(request.asked, claims, command=request.command)
            tls = _new_certificate(engine, request, choice.address, notify) if request.asked.tls else None
            spec = _spec(request, image, mount, choice.address, asked=asked, environment=environment, tls=tls)
            spec = replace(spec, networks=networks)
            try:
                registry = _run(engine, request, spec, tls, notify, note=choice.note)
            except PortTakenError as exc:
                # Another process was faster, or uses the port where this machine cannot see it.
                claims = claims.with_taken(choice.address.port)
                if request.asked.port is not None:
                    holder = claims.holder_of(choice.address)
                    raise port_taken(choice.address, holder, claims, command=request.command) from exc
            except EngineError as exc:
                if not any(map(PORT_NEEDS_ROOT.search, exc.details)):
                    raise
                free = claims.next_free(replace(choice.address, port=DEFAULT_PORT - 1)).port
                raise exc.with_(
                    message=f"port {choice.address.port} needs root, and {engine.info().name.capitalize()} is rootless",
                    hint=CommandLine(*request.command.words, "--port", str(free)),
                ) from exc
            else:
                if had_users:
                    _tell_of_users(engine, registry, notify)
                if (was_there or tls) and not request.asked.ephemeral:
                    _tell_of_tls(engine, registry, notify if replaced is None and request.asked.tls is None else None)
                return registry


def _tell_of_tls(engine: Engine, registry: Registry, notify: Notify | None) -> None:
    """Tell of a registry without TLS after one with it: clients that were told to trust that one refuse this one."""
    with contextlib.suppress(LocalregError):
        if lost_tls(engine, registry) and notify is not None:
            command = _recreate(registry, "--tls")
            notify(f"the registry before this one had TLS, and clients may expect it; `{command}` brings it back")


def _recreate(registry: Registry, option: str) -> str:
    name = registry.container.name
    return CommandLine("up", "--recreate", option).for_registry(
        engine=None, name=None if name == DEFAULT_NAME else name
    )


def _tell_of_users(engine: Engine, registry: Registry, notify: Notify) -> None:
    """Tell of a registry without a login in whose volume an earlier one has left its users."""
    users: tuple[str, ...] = ()
    with contextlib.suppress(LocalregError):
        users = find_users(engine, registry)
    if users:
        command = _recreate(registry, "--auth")
        notify(f"the volume has users ({', '.join(users)}), and the registry requires no login; `{command}` does")


def _new_certificate(engine: Engine, request: UpRequest, address: Address, notify: Notify) -> ServerTls:
    from localreg.registry.certificate import new_certificate  # noqa: PLC0415 -- loads cryptography, an extra

    return new_certificate(engine.info(), request.name, request.asked, address, notify)


@contextlib.contextmanager
def _storage(engine: Engine, request: UpRequest, notify: Notify) -> Iterator[tuple[Mount, bool]]:
    """Create the storage of the images; a volume that is created here is removed again after a failure.

    Returns:
        The storage, and whether it was there before.
    """
    storage = request.asked.volume or default_volume(request.name)
    if request.asked.ephemeral:
        yield AnonymousMount(DATA_FOLDER), False
    elif storage.startswith("/"):
        yield HostPathMount(storage, DATA_FOLDER), True
    elif engine.find_volume(storage) is not None:
        yield VolumeMount(storage, DATA_FOLDER), True
    else:
        engine.create_volume(storage, volume_labels(request.name))
        with _removed_on_failure(engine.remove_volume, storage, notify):
            yield VolumeMount(storage, DATA_FOLDER), False


def _run(
    engine: Engine,
    request: UpRequest,
    spec: ContainerSpec,
    tls: ServerTls | None,
    notify: Notify,
    *,
    note: str | None,
) -> Registry:
    """Create a container, start it and wait; it is removed again after a failure.

    Raises:
        NameTakenError: as `create_registry`.
        PortTakenError: the engine cannot publish the port.
        RegistryNotReadyError: as `create_registry`.
    """
    container = engine.create_container(spec)
    with _removed_on_failure(engine.remove_container, container.id, notify):
        _put_certificate(engine, container, tls)
        store_login = _prepare_login(engine, container, request, notify)
        engine.start_container(container.id)
        if note:
            notify(note)
        registry = Registry(engine.find_container(container.id) or container)
        _await(engine, registry, request, spec, tls)
        store_login(registry)
        return registry


def _prepare_login(
    engine: Engine, container: Container, request: UpRequest, notify: Notify
) -> Callable[[Registry], None]:
    """Give a container that requires a login its users, before it starts.

    Returns:
        Stores the login, once the registry has an address.
    """
    if not request.asked.auth:
        return lambda _registry: None
    from localreg.registry.own_login import prepare_login, store_login  # noqa: PLC0415 -- few require a login

    login = prepare_login(engine, container, request.user, notify)
    return lambda registry: store_login(engine, registry, login)


def _put_certificate(engine: Engine, container: Container, tls: ServerTls | None) -> None:
    if tls is not None:
        engine.put_files(container.id, FOLDER, tls.files)


def _await(engine: Engine, registry: Registry, request: UpRequest, spec: ContainerSpec, tls: ServerTls | None) -> None:
    try:
        await_registry(engine, registry, seconds=request.wait_seconds)
    except RegistryNotReadyError as exc:
        if spec.remove_when_stopped and not exc.details:
            # Its log went with it.
            engine.remove_container(registry.container.id)
            # Without the file of its users, Distribution would write the password of one that it invents.
            environment = {name: value for name, value in spec.environment.items() if name not in USERS}
            kept = replace(spec, remove_when_stopped=False, environment=environment)
            words = last_words(engine, kept, prepare=lambda container: _put_certificate(engine, container, tls))
            raise exc.with_(details=words) from exc
        raise


@contextlib.contextmanager
def _removed_on_failure(remove: Callable[[str], None], name: str, notify: Notify) -> Iterator[None]:
    """Undo a step after a failure; if that fails as well, the first failure still counts."""
    try:
        yield
    except NameTakenError:
        # The container that took the name may be about to use the volume.
        raise
    except BaseException:
        try:
            remove(name)
        except LocalregError as exc:
            notify(f"left behind: {exc.message}")
        raise


def _spec(
    request: UpRequest,
    image: RegistryImage,
    mount: Mount,
    address: Address,
    *,
    asked: RegistryOptions,
    environment: Mapping[str, str],
    tls: ServerTls | None,
) -> ContainerSpec:
    ephemeral = isinstance(mount, AnonymousMount)
    # A replacement may find an image from an archive nowhere else.
    loaded = image.reference if image.source is ImageSource.ARCHIVE else None
    options = RegistryOptions(
        port=address.port,
        host=address.host,
        image=loaded or request.asked.image or DEFAULT_IMAGE,
        volume=storage_of(mount),
        ephemeral=ephemeral or None,
        tls=None if tls is None else True,
        san=None if tls is None else request.asked.san,
        auth=request.asked.auth or None,
    )
    return ContainerSpec(
        name=request.name,
        image=image.reference,
        container_port=CONTAINER_PORT,
        publish=address,
        mount=mount,
        labels={**labels_of(request.name, asked=asked, options=options), **(tls.labels if tls else {})},
        environment=environment,
        restart=not ephemeral,
        remove_when_stopped=ephemeral,
    )
