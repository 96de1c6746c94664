"""Starting a registry: idempotent, on a port that is free, done when it answers."""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum

from localreg.command_line import CommandLine
from localreg.engines.port import Engine
from localreg.engines.values import ContainerState
from localreg.errors import (
    ConflictError,
    NameTakenError,
    NotOursError,
    OptionsDifferError,
    PortTakenError,
    RegistryNotReadyError,
)
from localreg.registry.container import Registry, find_registry, start_command
from localreg.registry.create import create_registry, ensure_image
from localreg.registry.defaults import DEFAULT_HOST, DEFAULT_PORT
from localreg.registry.options import RegistryOptions
from localreg.registry.port import choose_port
from localreg.registry.replace import recover, replace_registry
from localreg.registry.request import Notify, OnProgress, UpRequest
from localreg.registry.start import await_registry
from localreg.system.address import Address
from localreg.system.waiting import wait_until

_RIVAL_SECONDS = 5.0
_FOREIGN_SECONDS = 5.0
"""How long a container that somebody else started may take to show that it is a registry."""


class UpAction(StrEnum):
    """What `up` did."""

    CREATED = "created"
    RECREATED = "recreated"
    STARTED = "started"
    ALREADY = "already up"
    ADOPTED = "not ours"


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
    recover(engine, request.name)
    registry = find_registry(engine, request.name)
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
        _refuse_paused(engine, registry)
        recreated = replace_registry(engine, registry, request, notify=notify, on_progress=on_progress)
        return UpResult(recreated, UpAction.RECREATED, time.monotonic() - began)
    _refuse_other_options(registry, request)
    action = UpAction.ALREADY if registry.container.is_running else UpAction.STARTED
    _start(engine, registry, request)
    seconds = time.monotonic() - began
    return UpResult(_refreshed(engine, registry), action, seconds, request.image_options)


def _find_rival(engine: Engine, name: str) -> Registry | None:
    """The container that took the name; Docker reserves a name a moment before it shows the container."""
    found: list[Registry] = []

    def is_there() -> bool:
        found.extend(filter(None, [find_registry(engine, name)]))
        return bool(found)

    wait_until(is_there, seconds=_RIVAL_SECONDS)
    return found[0] if found else None


def _adopt(engine: Engine, registry: Registry, request: UpRequest) -> UpResult:
    """Use a registry that the user started by hand as it is."""
    container = registry.container
    other = CommandLine("--name", "OTHER", "up")
    if not container.is_running:
        raise NameTakenError(
            f"container `{container.name}` is there, {container.state}, and localreg did not create it",
            hint=start_command(registry, engine=engine.info().name),
        )
    if registry.published is None:
        raise NameTakenError(f"container `{container.name}` is no registry: it publishes no port", hint=other)
    if request.recreate:
        raise NotOursError(
            f"localreg did not create container `{container.name}` and does not recreate it",
            hint=CommandLine("down", "--force"),
        )
    try:
        if registry.url is not None:
            await_registry(engine, registry, seconds=min(request.wait_seconds, _FOREIGN_SECONDS))
    except RegistryNotReadyError as exc:
        raise NameTakenError(
            f"container `{container.name}` is there, and what it publishes is no registry", hint=other
        ) from exc
    actual = RegistryOptions(registry.published.bound.port, registry.published.bound.host, container.image)
    ignored = (*request.asked.differing(actual), *request.image_options)
    return UpResult(registry, UpAction.ADOPTED, 0.0, ignored)


def _refuse_other_options(registry: Registry, request: UpRequest) -> None:
    options = registry.options
    differing = request.asked.differing(options)
    if not differing:
        return
    raise OptionsDifferError(
        f"registry `{request.name}` exists with other options",
        hint=CommandLine("up", "--recreate", *_typed(request.asked)),
        details=[
            f"--{name}  asked for {_shown(getattr(request.asked, name))}, is {_shown(getattr(options, name))}"
            for name in differing
        ],
    )


def _typed(options: RegistryOptions) -> list[str]:
    """Options as they are typed."""
    asked = {name: getattr(options, name) for name in options.differing(RegistryOptions())}
    return [word for name, value in asked.items() for word in (f"--{name}", *([] if value is True else [str(value)]))]


def _shown(value: object) -> str:
    if value is None:
        return "none"
    return "yes" if value is True else f"`{value}`"


def _refuse_paused(engine: Engine, registry: Registry) -> None:
    container = registry.container
    if container.state is ContainerState.PAUSED:
        raise ConflictError(
            f"registry `{container.name}` is paused", hint=start_command(registry, engine=engine.info().name)
        )


def _start(engine: Engine, registry: Registry, request: UpRequest) -> None:
    """Start an existing container and wait; one that was stopped is stopped again when it does not answer."""
    _refuse_paused(engine, registry)
    container = registry.container
    if container.is_running:
        # This machine cannot reach the loopback of a remote engine.
        if registry.url is not None or registry.published is None:
            await_registry(engine, registry, seconds=request.wait_seconds)
        return
    address = Address(registry.options.host or DEFAULT_HOST, registry.options.port or DEFAULT_PORT)
    request.claims.await_forwarder(address)
    try:
        engine.start_container(container.id)
    except PortTakenError as exc:
        free = request.claims.next_free(address).port
        raise PortTakenError(
            f"port {address.port} of registry `{container.name}` is taken by {request.claims.holder_of(address)}",
            hint=CommandLine("up", "--recreate", "--port", str(free)),
            details=exc.details,
        ) from exc
    try:
        await_registry(engine, _refreshed(engine, registry), seconds=request.wait_seconds)
    except BaseException:
        engine.stop_container(container.id)
        raise


def _refreshed(engine: Engine, registry: Registry) -> Registry:
    """As the engine describes it now: an address exists only while a container runs."""
    return find_registry(engine, registry.container.id) or registry


def _create(engine: Engine, request: UpRequest, *, notify: Notify, on_progress: OnProgress) -> Registry:
    # Before anything is pulled: a port that is taken is known at once.
    choose_port(request.asked, request.claims)
    image = ensure_image(engine, request, notify=notify, on_progress=on_progress)
    return create_registry(engine, request, image, asked=request.asked, notify=notify)
